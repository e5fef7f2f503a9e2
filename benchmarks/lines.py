"""A figure as a line of text: its number, its goal, whether that was met."""

from measure import Figure

COLOURS = {"ok": "green", "missed": "yellow", "WRONG": "red"}


def line(figure: Figure) -> str:
    """One line for people."""
    told = ", ".join(filter(None, (_spread(figure), _seconds(figure), figure.note)))
    where = f"{figure.database + ': ' if figure.database else ''}{figure.what}"
    return f"{verdict(figure):>6}  {where:<64} {number(figure.reached, figure.unit):>12}  {goal(figure):>14}  {told}".rstrip()


def verdict(figure: Figure) -> str:
    """Whether the goal is met; nothing without a goal."""
    if figure.goal is None:
        return ""
    return "ok" if figure.ok else "WRONG" if figure.hard else "missed"


def goal(figure: Figure) -> str:
    """The goal as text; nothing without one."""
    if figure.goal is None:
        return ""
    sign = "=" if figure.exact else "≥" if figure.least else "≤"
    return f"{sign} {number(figure.goal, figure.unit)}"


def number(value: float, unit: str) -> str:
    """A value with its unit."""
    return f"{plain(value)} {unit}".rstrip()


def plain(value: float) -> str:
    """A value with as many digits as say something."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _spread(figure: Figure) -> str:
    low, high = figure.spread
    return f"rounds {plain(low)} to {plain(high)}" if len(figure.rounds) > 1 else ""


def _seconds(figure: Figure) -> str:
    return f"{plain(figure.seconds)} s" if figure.seconds else ""
