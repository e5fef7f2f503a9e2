"""docs/performance.md and its pictures, as docs/performance.json makes them: the same record makes the same bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import paper
import plots
import record
from lines import goal, number, spread
from measure import Figure
from record import Record

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = DOCS / "performance.json"
PAGE, GOALS, GROWTH = "performance.md", "performance-goals.svg", "performance-growth.svg"

TITLES = {
    "reading": "Reading an answer",
    "database": "Writing it into the catalog",
    "fetching": "Asking all providers",
    "memory": "Memory",
    "serving": "Reading the catalog over HTTP",
    "dearest": "The dearest request there is",
    "start-up": "Starting",
}
HEAD = """# Performance

Written by `./run bench --write` from [performance.json](performance.json). `./run bench --compare` says which ratios got worse since.

Machines differ, so a figure is a ratio where it can be one: to a floor that does the same work without this program's code, measured beside
it in turns; garbage is collected there as Python does it, and in the program as the program has it
([0039](decisions/0039-the-loop-never-waits-long.md)). It is the median of the rounds; in brackets are the lowest and the highest of them.
What is counted (rows, bytes, answers) does not depend on the machine, and a run fails where it is not as it should be.
"""
PICTURES = f"""
Each ratio beside its goal, at the largest size that was measured; the line is from the lowest round to the highest:

![Ratios beside their goals]({GOALS})

How ratios move as a catalog grows; one that stays level is linear:

![Ratios by models]({GROWTH})"""


def write(made: Record) -> None:
    """The record and what follows from it."""
    FIGURES.write_text(record.written(made), "utf-8")
    for name, text in files(made).items():
        (DOCS / name).write_text(text, "utf-8")


def files(made: Record) -> dict[str, str]:
    """The page and its pictures, by name."""
    return {PAGE: page(made), GOALS: plots.goals(made.figures), GROWTH: plots.growth(made.figures)}


def page(made: Record) -> str:
    """The whole page."""
    names = list(dict.fromkeys(figure.benchmark for figure in made.figures))
    parts = [HEAD, *_measured(made), PICTURES]
    for name in names:
        parts += [f"\n## {TITLES.get(name, name)}\n", *_table([figure for figure in made.figures if figure.benchmark == name])]
    return "\n".join([*parts, "", *paper.section(made.figures)]) + "\n"


def _measured(made: Record) -> Iterator[str]:
    """When, where and how much."""
    here = made.machine
    largest = f"catalogs of {made.models:,} models at most are written"
    yield f"Measured on {made.date} in the **{made.scale} form**: {largest}, {made.rounds} rounds, {made.seconds:,.0f} seconds."
    yield f"On {here.cpu}, {here.cores} cores, {here.system}; Python {here.python}, SQLite {here.sqlite}, PostgreSQL {here.postgres}."
    for name, why in made.broken.items():
        yield f"\n**{name} did not come to its end**: {why}"


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    """A part's figures: a line for each, a column for each size."""
    sizes = sorted({figure.models for figure in figures})
    titles = ["measured" if len(sizes) == 1 else f"{size:,} models" if size else "no catalog" for size in sizes]
    yield f"| what | database | {' | '.join(titles)} | goal | |"
    yield f"| --- | --- |{' ---: |' * len(sizes)} --- | --- |"
    rows: dict[tuple[str, str], dict[int, Figure]] = {}
    for figure in figures:
        rows.setdefault((figure.what, figure.database), {})[figure.models] = figure
    for (what, database), by_size in rows.items():
        cells = " | ".join(_cell(by_size[size]) if size in by_size else "" for size in sizes)
        last = next(reversed(by_size.values()))
        yield f"| {what} | {database} | {cells} | {'' if last.exact else goal(last)} | {_verdict(by_size)} |"


def _cell(figure: Figure) -> str:
    rounds = f" ({spread(figure)})" if spread(figure) else ""
    return f"{number(figure.reached, figure.unit)}{rounds}"


def _verdict(by_size: dict[int, Figure]) -> str:
    """Whether a goal is met at each size."""
    if all(figure.goal is None for figure in by_size.values()):
        return ""
    missed = [size for size, figure in by_size.items() if not figure.ok]
    if not missed:
        return "as it should be" if next(iter(by_size.values())).hard else "met"
    word = "**wrong**" if next(iter(by_size.values())).hard else "missed"
    return word if len(missed) == len(by_size) else f"{word} at {', '.join(f'{size:,}' for size in missed)}"
