"""How everything is measured: ways that alternate within one run, a ratio per round, and figures beside their goals."""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. Every benchmark takes its sizes from here, so that each can run small."""

    name: str
    rounds: int
    rows: int
    """Rows of the answer that is only read."""
    sizes: tuple[int, ...]
    """Models of the catalogs that are written, the smallest first."""
    featherless: int
    """Rows of a generated Featherless answer."""
    paged: Mapping[str, int]
    """By database, the models that come page by page."""
    page: int
    """Rows of such a page."""
    delay: float
    """Seconds until a provider answers."""
    megabytes: tuple[float, ...]
    """The longest answers of providers; all others are as long as the last one."""
    served: tuple[int, ...]
    """Models of the catalogs that are read over HTTP, the smallest first."""
    requests: int
    """Requests per round to a page that has to be built."""
    searched: tuple[int, ...]
    """Models of the catalogs in which the dearest request is looked for."""
    tries: int
    """Requests of each half of that search."""
    clients: int
    """How many ask for the dearest request at once, for `seconds`."""
    seconds: float
    status: int
    """Models of the catalog that `modelsync status` tells of."""
    payloads: Path | None = None
    """Where recorded answers are."""


FULL = Scale(
    name="full",
    rounds=5,
    rows=10_000,
    sizes=(1_000, 10_000, 100_000),
    featherless=16_000,
    paged={"SQLite": 1_000_000, "Postgres": 200_000},
    page=10_000,
    delay=0.3,
    megabytes=(8.0, 5.0, 0.1),
    served=(20_000, 200_000),
    requests=600,
    searched=(20_000, 200_000),
    tries=40,
    clients=40,
    seconds=5.0,
    status=20_000,
)
QUICK = msgspec.structs.replace(
    FULL,
    name="quick",
    rounds=3,
    sizes=(1_000, 10_000),
    paged={"SQLite": 20_000, "Postgres": 20_000},
    page=1_000,
    served=(20_000,),
    requests=300,
    searched=(20_000,),
    tries=15,
    seconds=1.5,
)
TINY = Scale(
    name="tiny",
    rounds=1,
    rows=100,
    sizes=(100, 200),
    featherless=200,
    paged={"SQLite": 400, "Postgres": 400},
    page=100,
    delay=0.05,
    megabytes=(0.05, 0.02, 0.01),
    served=(200, 400),
    requests=20,
    searched=(200,),
    tries=5,
    clients=2,
    seconds=0.2,
    status=200,
)
"""For tests: what is counted is right at any size."""


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One measured number and its goal: at most `goal`, or at least it, or with `exact` just it.

    A `hard` figure counts something: it does not depend on the machine, and missing it is an error. Without a goal it only informs; `least`
    then says that more is better. Of a ratio, `rounds` are the ratios of the rounds whose median was reached.
    """

    what: str
    reached: float
    goal: float | None = None
    unit: str = "×"
    least: bool = False
    exact: bool = False
    hard: bool = False
    note: str = ""
    rounds: tuple[float, ...] = ()
    seconds: float = 0.0
    """What the side above the line of a ratio took."""
    benchmark: str = ""
    database: str = ""
    models: int = 0
    """Rows in the catalog or the answer."""

    @property
    def ok(self) -> bool:
        """Whether the goal is met."""
        if self.goal is None:
            return True
        if self.exact:
            return self.reached == self.goal
        return self.reached >= self.goal if self.least else self.reached <= self.goal

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest round."""
        return (min(self.rounds), max(self.rounds)) if self.rounds else (self.reached, self.reached)


def count(what: str, reached: float, expected: float, unit: str = "rows") -> Figure:
    """A number that must be exactly what is expected."""
    return Figure(what, reached, expected, unit, exact=True, hard=True)


def ratio(
    what: str, rounds: Sequence[float], goal: float | None = None, *, least: bool = False, note: str = "", seconds: float = 0.0
) -> Figure:
    """The median of the rounds' ratios."""
    return Figure(what, statistics.median(rounds), goal, least=least, note=note, rounds=tuple(rounds), seconds=seconds)


def of(figures: Iterator[Figure], database: str, models: int) -> Iterator[Figure]:
    """Figures of a database, and of a catalog with so many models."""
    for figure in figures:
        yield msgspec.structs.replace(figure, database=figure.database or database, models=figure.models or models)


Way = Callable[[], float]
"""Does something once and says how many seconds the part to be measured took."""


def timed(function: Callable[[], object]) -> Way:
    """The whole of `function`, without the time it takes to throw its result away."""

    def way() -> float:
        gc.collect()
        started = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - started
        del result
        return seconds

    return way


PYTHONS_OWN = gc.get_threshold()


def floor(function: Callable[[], object]) -> Way:
    """The same of what is done without this program: garbage is collected as Python does it by itself, not as the program has it done."""
    way = timed(function)

    def plain_way() -> float:
        ours = gc.get_threshold()
        gc.set_threshold(*PYTHONS_OWN)
        try:
            return way()
        finally:
            gc.set_threshold(*ours)

    return plain_way


class Rounds(msgspec.Struct, frozen=True):
    """The seconds of each way, round by round."""

    seconds: Mapping[str, Sequence[float]]

    def median(self, way: str) -> float:
        """Seconds in the middle of all rounds."""
        return statistics.median(self.seconds[way])

    def sums(self, *ways: str) -> list[float]:
        """Seconds of several ways together, of each round."""
        return [sum(each) for each in zip(*(self.seconds[way] for way in ways), strict=True)]

    def ratios(self, above: str, *below: str) -> list[float]:
        """A way's seconds by those of other ways together, of each round."""
        return [one / other for one, other in zip(self.seconds[above], self.sums(*below), strict=True)]


def alternate(rounds: int, ways: Mapping[str, Way], *, unmeasured: int = 1) -> Rounds:
    """Each way's seconds; `unmeasured` rounds first, then all ways in turn, so that a machine's moods hit all alike."""
    for _ in range(unmeasured):
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    return Rounds(seconds)


def peak_memory() -> float:
    """The most memory this process ever held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss also remembers what the parent held before exec
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
