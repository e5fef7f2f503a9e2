"""What the measured slopes come to for ten million models and a hundred providers: on paper, nobody has measured it."""

import math
from collections.abc import Iterator, Sequence

from lines import number, plain
from measure import Figure

MODELS, PROVIDERS = 10_000_000, 100

HEAD = f"""## On paper: {MODELS:,} models, {PROVIDERS} providers

Nobody has measured this. The slopes above are drawn further, as if nothing else came in the way:

| what | measured | then |
| --- | --- | --- |"""

WORDS = """
What would break first, in this order:

1. **Memory, with one very long list.** A commit holds the id and the hash of every model of its provider, and a list that is read whole
   holds its models too. Many providers of ordinary length never come near it: what one needs is given back before the next.
2. **The time of a long list that comes page by page.** Each page is a commit, and each commit reads all hashes of the provider. Longer
   pages help; the square stays.
3. **Filters over everything.** What no index answers reads an index from end to end, which is linear: on SQLite first.
4. **A hundred providers at once** share one core for decoding, and on SQLite one writer. They take longer; nothing breaks."""


def section(figures: Sequence[Figure]) -> Iterator[str]:
    """The whole section."""
    yield HEAD
    for database in ("SQLite", "Postgres"):
        of_database = [figure for figure in figures if figure.database == database]
        yield from _paged(of_database, database)
        yield from _syncs(of_database, database)
        yield from _pages(of_database, database)
    yield from _fetching(figures)
    yield WORDS


def _last(figures: Sequence[Figure], what: str) -> Figure | None:
    """A figure at the largest size it was measured at."""
    return max((figure for figure in figures if figure.what == what), key=lambda figure: figure.models, default=None)


def _row(what: str, measured: str, then: str) -> str:
    return f"| {what} | {measured} | **{then}** |"


def _paged(figures: Sequence[Figure], database: str) -> Iterator[str]:
    """One list that comes page by page: memory by its slope, time with what each page takes longer than the one before."""
    names = ("memory over baseline", "seconds", "last tenth of the pages, × the first")
    memory, seconds, slower = (_last(figures, f"page by page: {name}") for name in names)
    if memory and seconds and slower:
        at = f"at {memory.models:,} models"
        mb = max(memory.reached, 0.0) / memory.models * MODELS
        yield _row(f"{database}: memory of one list, page by page", f"{number(memory.reached, 'MB')} {at}", size(mb))
        took = duration(paged_seconds(seconds.reached, slower.reached, seconds.models))
        yield _row(f"{database}: its first load", f"{duration(seconds.reached)} {at}", took)


def paged_seconds(seconds: float, slower: float, models: int) -> float:
    """What a list of MODELS takes whose first `models` took so many seconds, the last tenth of them `slower` times the first.

    The time of a page grows evenly: it is a + b · x at a share x of what was measured, and slower = (a + 0.95 b) / (a + 0.05 b).
    """
    times = MODELS / models
    growing = max(slower - 1, 0.0)
    first = max(0.95 - 0.05 * max(slower, 1.0), 0.0)  # in units in which b is `growing`
    return seconds * (first * times + growing * times**2 / 2) / (first + growing / 2)


def _syncs(figures: Sequence[Figure], database: str) -> Iterator[str]:
    for what in ("first load, × the plain driver", "nothing changed, × reading the hashes", "1 % changed, × reading the hashes"):
        if (found := _last(figures, what)) and found.seconds:
            then = found.seconds / found.models * MODELS
            measured = f"{duration(found.seconds)} at {found.models:,} models"
            yield _row(f"{database}: {what.partition(',')[0]}, in the database", measured, duration(then))


def _pages(figures: Sequence[Figure], database: str) -> Iterator[str]:
    """The slowest pages, by how much slower they were at the largest catalog than at the smallest."""
    found = [figure for figure in figures if figure.what == "any filter while syncs commit, p99"]
    if len(found) > 1:
        small, large = found[0], found[-1]
        power = math.log(large.reached / small.reached) / math.log(large.models / small.models)
        then = large.reached * (MODELS / large.models) ** max(power, 0.0)
        measured = f"{number(large.reached, 'ms')} at {large.models:,} models"
        yield _row(f"{database}: any filter while syncs commit, p99", measured, duration(then / 1000))


def _fetching(figures: Sequence[Figure]) -> Iterator[str]:
    """All providers at once: what each costs beyond the slowest alone."""
    count, alone = (_last(figures, what) for what in ("providers planned at once", "the slowest provider alone"))
    together = _last(figures, "all providers at once, × the slowest alone")
    if count and alone and together and count.reached > 1:
        each = max(together.seconds - alone.reached, 0.0) / (count.reached - 1)
        measured = f"{duration(together.seconds)} with {count.reached:.0f}"
        yield _row(
            f"{PROVIDERS} providers, most of them short, planned at once", measured, duration(alone.reached + each * (PROVIDERS - 1))
        )


def duration(seconds: float) -> str:
    """A time for people."""
    for above, divisor, unit in ((7200, 3600, "hours"), (120, 60, "minutes"), (1, 1, "s")):
        if seconds >= above:
            return f"{plain(float(f'{seconds / divisor:.2g}'))} {unit}"
    return f"{plain(float(f'{seconds * 1000:.2g}'))} ms"


def size(megabytes: float) -> str:
    """An amount of memory for people."""
    amount, unit = (megabytes / 1000, "GB") if megabytes >= 1000 else (megabytes, "MB")
    return f"{plain(float(f'{amount:.2g}'))} {unit}"
