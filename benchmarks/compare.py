"""Whether ratios got worse than those of another run, by more than the rounds of both runs differ among themselves."""

from collections.abc import Iterator

from lines import number
from lines import spread as span
from measure import Figure
from record import Record

ALIKE = 0.05
"""By how much two runs of the same code differ beyond the spread of their rounds."""

Key = tuple[str, str, str, int]


def key(figure: Figure) -> Key:
    """What makes two figures the same one in two runs."""
    return figure.benchmark, figure.database, figure.what, figure.models


def ratios(made: Record) -> dict[Key, Figure]:
    """The figures that may be compared: ratios that were measured in rounds. Seconds and MB belong to a machine."""
    return {key(figure): figure for figure in made.figures if figure.unit == "×" and figure.rounds}


def worse(then: Figure, now: Figure) -> bool:
    """Whether even the best round now is worse than the worst round then."""
    if now.least:
        return now.spread[1] < then.spread[0] * (1 - ALIKE)
    return now.spread[0] > then.spread[1] * (1 + ALIKE)


def regressions(then: Record, now: Record) -> Iterator[str]:
    """A sentence for each ratio that got worse."""
    before = ratios(then)
    for known, figure in ratios(now).items():
        if known in before and worse(before[known], figure):
            yield _sentence(before[known], figure)


def compared(then: Record, now: Record) -> int:
    """How many ratios both runs have."""
    return len(ratios(then).keys() & ratios(now).keys())


def _sentence(then: Figure, now: Figure) -> str:
    where = f"{now.database}, " if now.database else ""
    size = f" ({now.models:,} models)" if now.models else ""
    rounds = f"rounds {span(now)}, then {span(then)}"
    return f"{where}{now.what}{size}: {number(now.reached, '×')}, was {number(then.reached, '×')}; {rounds}"
