"""Pictures of figures, as SVG: ratios beside their goals, and ratios by the number of models."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from lines import goal, number, plain
from measure import Figure

WIDTH, LINE, LEFT, RIGHT = 940, 20, 430, 170
MET, MISSED, PALE = "#1a7f37", "#bc4c00", "#d0d7de"
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#57606a")


class Scale(NamedTuple):
    """A logarithmic axis: values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; what is beyond the ends is at them."""
        kept = min(max(value, self.low), self.high)
        share = math.log(kept / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def marks(self) -> list[float]:
        """Powers of ten on it."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [float(f"1e{power}") for power in range(first, last + 1)]


def around(values: Sequence[float], start: float, end: float) -> Scale:
    """An axis with room for all values."""
    low, high = (10 ** (rounding(math.log10(value) * 2) / 2) for rounding, value in ((math.floor, min(values)), (math.ceil, max(values))))
    return Scale(low, high if high > low else low * 10, start, end)


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A whole picture on white."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    style = 'font-family="sans-serif" font-size="12" fill="#1f2328"'
    return "\n".join([f"{head} {style}>", f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>', *parts, "</svg>"]) + "\n"


def text(x: float, y: float, said: str, anchor: str = "start", colour: str = "") -> str:
    """Words at a place."""
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{fill}>{escape(said)}</text>'


def stroke(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0) -> str:
    """A straight line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="{width:g}"/>'


def dot(x: float, y: float, colour: str) -> str:
    """A point."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{colour}"/>'


# Beside their goals


def goals(figures: Sequence[Figure]) -> str:
    """Every ratio that has a goal, as its share of it: left of the line is met."""
    shown = [figure for figure in _largest(figures) if figure.goal and figure.reached]
    if not shown:
        return svg(WIDTH, LINE * 2, [text(8, LINE, "nothing measured")])
    across = around([1.0, *(share for figure in shown for share in _shares(figure))], LEFT, WIDTH - RIGHT)
    bottom = LINE * (len(shown) + 1) + 4
    parts = [stroke(across.at(mark), LINE, across.at(mark), bottom, PALE) for mark in across.marks()]
    parts += [text(across.at(mark), bottom + 14, f"{mark:g} × the goal", "middle") for mark in across.marks()]
    parts.append(stroke(across.at(1), LINE, across.at(1), bottom, "#1f2328", 1.5))
    for place, figure in enumerate(shown):
        parts += _row(figure, LINE * (place + 1) + 14, across)
    return svg(WIDTH, bottom + LINE, parts)


def _largest(figures: Sequence[Figure]) -> list[Figure]:
    """The ratios, each at the largest size only."""
    found: dict[tuple[str, str, str], Figure] = {}
    for figure in figures:
        known = found.get(key := (figure.benchmark, figure.database, figure.what))
        if figure.unit == "×" and (known is None or known.models <= figure.models):
            found[key] = figure
    return list(found.values())


def _shares(figure: Figure) -> tuple[float, float, float]:
    """Lowest round, median and highest round as shares of the goal; more than 1 misses it."""
    assert figure.goal
    low, high = figure.spread
    return tuple(figure.goal / value if figure.least else value / figure.goal for value in (low, figure.reached, high))  # type: ignore[return-value]


def _row(figure: Figure, y: float, across: Scale) -> Iterator[str]:
    low, middle, high = _shares(figure)
    colour = MET if figure.ok else MISSED
    where = f"{figure.database}: {figure.what}" if figure.database else figure.what
    yield text(LEFT - 10, y, where, "end")
    yield stroke(across.at(low), y - 4, across.at(high), y - 4, colour, 2)
    yield dot(across.at(middle), y - 4, colour)
    yield text(WIDTH - RIGHT + 12, y, f"{number(figure.reached, '×')}, goal {goal(figure)}", "start", colour)


# By models

PANEL, TALL, MARGIN = 420, 300, 50


def growth(figures: Sequence[Figure]) -> str:
    """Ratios of writing by the models in the catalog, a panel for each database."""
    shown = [figure for figure in figures if figure.benchmark == "database" and figure.unit == "×" and not figure.least and figure.reached]
    if not shown:
        return svg(PANEL, LINE * 2, [text(8, LINE, "nothing measured")])
    whats, databases = (list(dict.fromkeys(getattr(figure, name) for figure in shown)) for name in ("what", "database"))
    up = around([figure.reached for figure in shown], TALL, LINE * 2)
    parts: list[str] = []
    for place, database in enumerate(databases):
        across = around([figure.models for figure in shown], PANEL * place + MARGIN, PANEL * (place + 1) - 20)
        parts += _panel([figure for figure in shown if figure.database == database], database, across, up, whats)
    for place, what in enumerate(whats):
        y = TALL + MARGIN + LINE * place
        parts += [dot(MARGIN, y - 4, COLOURS[place % len(COLOURS)]), text(MARGIN + 12, y, what)]
    return svg(PANEL * len(databases), TALL + MARGIN + LINE * len(whats), parts)


def _panel(figures: Sequence[Figure], title: str, across: Scale, up: Scale, whats: Sequence[str]) -> Iterator[str]:
    yield text((across.start + across.end) / 2, LINE, title, "middle")
    for mark in across.marks():
        yield stroke(across.at(mark), up.start, across.at(mark), up.end, PALE)
        yield text(across.at(mark), up.start + 16, f"{mark:,.0f}", "middle")
    for mark in up.marks():
        yield stroke(across.start, up.at(mark), across.end, up.at(mark), PALE)
        yield text(across.start - 6, up.at(mark) + 4, f"{plain(mark)} ×", "end")
    for place, what in enumerate(whats):
        colour = COLOURS[place % len(COLOURS)]
        points = [(across.at(figure.models), up.at(figure.reached)) for figure in figures if figure.what == what]
        yield f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (dot(x, y, colour) for x, y in points)
