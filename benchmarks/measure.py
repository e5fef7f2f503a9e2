"""How everything is measured: ways that alternate within one run, medians, and figures beside their goals."""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec


class Scale(msgspec.Struct, frozen=True):
    """How much is measured: models in a catalog, rounds, models in the paged catalog, and where recorded answers are."""

    models: int
    rounds: int
    paged: int
    payloads: Path | None = None


FULL, QUICK = Scale(models=100_000, rounds=5, paged=1_000_000), Scale(models=10_000, rounds=3, paged=50_000)


class Figure(msgspec.Struct, frozen=True):
    """One measured number and its goal: at most `goal`, or at least it, or with `exact` just it.

    A `hard` figure counts something: it does not depend on the machine, and missing it is an error. Without a goal it only informs.
    """

    what: str
    reached: float
    goal: float | None = None
    unit: str = "×"
    least: bool = False
    exact: bool = False
    hard: bool = False
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the goal is met."""
        if self.goal is None:
            return True
        if self.exact:
            return self.reached == self.goal
        return self.reached >= self.goal if self.least else self.reached <= self.goal


def count(what: str, reached: float, expected: float, unit: str = "rows") -> Figure:
    """A number that must be exactly what is expected."""
    return Figure(what, reached, expected, unit, exact=True, hard=True)


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


def alternate(rounds: int, ways: Mapping[str, Way]) -> dict[str, float]:
    """The median seconds of each way; one unmeasured round first, then all ways in turn, so that a machine's moods hit all alike."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory() -> float:
    """The most memory this process ever held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss also remembers what the parent held before exec
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
