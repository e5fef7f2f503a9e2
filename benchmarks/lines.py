"""A figure as a line of text: its number, its goal, whether that was met."""

from measure import Figure

MEASURED = ("×", "s", "ms", "MB")
"""Units of what is not counted."""
COLOURS = {"ok": "green", "missed": "yellow", "WRONG": "red"}


def line(figure: Figure) -> str:
    """One line for people."""
    told = ", ".join(filter(None, (_rounds(figure), _seconds(figure), figure.note)))
    return f"{verdict(figure):>6}  {figure.what:<62} {number(figure.reached, figure.unit):>13}  {goal(figure):>14}  {told}".rstrip()


def heading(figure: Figure) -> str:
    """Which catalog a figure is of; nothing where there is none."""
    return ", ".join(filter(None, (figure.database, f"{figure.models:,} models" if figure.models else "")))


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
    return f"{sign} {plain(figure.goal)} {figure.unit}"


def number(value: float, unit: str) -> str:
    """A value with its unit."""
    return f"{digits(value) if unit in MEASURED else plain(value)} {unit}"


def plain(value: float) -> str:
    """A count or a goal: whole where it is."""
    return f"{value:,.0f}" if value == int(value) else digits(value)


def digits(value: float) -> str:
    """What was measured, with as many digits as say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def spread(figure: Figure) -> str:
    """From the lowest to the highest round; nothing where there was one."""
    return " to ".join(map(digits, figure.spread)) if len(figure.rounds) > 1 else ""


def _rounds(figure: Figure) -> str:
    return f"rounds {spread(figure)}" if spread(figure) else ""


def _seconds(figure: Figure) -> str:
    return f"{digits(figure.seconds)} s" if figure.seconds else ""
