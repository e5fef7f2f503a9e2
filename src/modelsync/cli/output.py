"""How values look: consoles, prices, times, counts. Unknown is a dash, free is a word, 0 is never shown for either."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelsync.formats.text import UNKNOWN
from modelsync.model.limits import printable

WIDE = 120


def _width(is_terminal: bool) -> int | None:
    return None if is_terminal or "COLUMNS" in os.environ else WIDE


def stdout() -> Console:
    """Results. Wide when nobody's window limits it; colours only on a terminal."""
    return Console(width=_width(sys.stdout.isatty()), highlight=False, emoji=False, markup=False)


def stderr() -> Console:
    """People's progress."""
    return Console(stderr=True, width=_width(sys.stderr.isatty()), highlight=False, emoji=False, markup=False)


def say(console: Console, text: str | Text) -> None:
    """Sentences, one a line: wrapped to a terminal under where each begins, left whole for files and pipes."""
    if not console.is_terminal:
        console.print(text, soft_wrap=True)
        return
    for line in (Text(text) if isinstance(text, str) else text).split("\n", allow_blank=True):
        console.print(_wrapped(console, line))


def _wrapped(console: Console, line: Text) -> Text:
    """A sentence whose further lines begin under its text, behind the blanks, the sign or the number that it begins with."""
    first = line.wrap(console, console.width)[0] if line.plain else line
    rest = line[len(first.plain) :]
    if not rest.plain.strip():
        return line
    hang = " " * min(BEGIN.match(line.plain).end(), console.width // 2)  # type: ignore[union-attr]  # it matches nothing, too
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    return Text("\n").join([first, *(Text(hang).append_text(each) for each in rest.wrap(console, console.width - len(hang)))])


BEGIN = re.compile(r" *(?:[^\w\s`'\"($] |\d+ {2})?")
"""What a sentence may begin with: blanks, a sign, a number in a column of its own."""


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_json_value) + "\n")


def _json_value(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, datetime):
        return json_time(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def safe(text: object) -> str:
    """A provider's text, fit for a terminal."""
    return printable(str(text))


def of(slugs: Iterable[str] | None) -> str:
    """Whose things a sentence is about, when only some providers were asked for."""
    return f" of {', '.join(slugs)}" if slugs else ""


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """A plain table; the columns in `right` hold numbers."""
    made = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold", title_style="bold")
    numbers = set(right)
    for name in columns:
        made.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=name in numbers)
    return made


class Column(NamedTuple):
    """A column of a table: numbers to the `right`; on a narrow terminal those with the highest `drop` are left out first (0: never).

    One that `folds` holds ids, broken after a slash where they are too wide; one that `wraps` text, broken between words.
    """

    name: str
    right: bool = False
    drop: int = 0
    folds: bool = False
    wraps: bool = False


GAP = 2
"""Blanks between two columns."""


def show_table(columns: Sequence[Column | None], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table, without the columns that are None."""
    console = stdout()
    console.print(fitted([column for column in columns if column], [_there(columns, row) for row in rows], console.width))


def _there(columns: Sequence[Column | None], row: Sequence[str | Text]) -> list[str | Text]:
    return [cell for column, cell in zip(columns, row, strict=True) if column]


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int) -> Table:
    """A table that splits no word: as wide as it is, or with fewer columns, folded ids and wrapped text."""
    shown = list(range(len(columns)))
    widest = {place: max(cell_len(columns[place].name), *(_width_of(row[place]) for row in rows), 0) for place in shown}
    least = {place: max(len(columns[place].name), *(_least_of(row[place], columns[place]) for row in rows), 0) for place in shown}
    while sum(least[place] + GAP for place in shown) - GAP > width and any(columns[place].drop for place in shown):
        shown.remove(max(shown, key=lambda place: columns[place].drop))
    left = width - sum(least[place] + GAP for place in shown) + GAP
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    room = {}
    for place in shown:
        column, more = columns[place], max(0, min(widest[place] - least[place], left))
        room[place], left = least[place] + more, left - more
        made.add_column(
            column.name, justify="right" if column.right else "left", no_wrap=not (column.wraps or column.folds), overflow="fold"
        )
    for row in rows:
        made.add_row(*(_folded(row[place], room[place]) if columns[place].folds else row[place] for place in shown))
    return made


MOST_OF_A_WORD = 40
"""Cells that a part of an id, or a word, keeps together."""


def _width_of(cell: str | Text) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def _least_of(cell: str | Text, column: Column) -> int:
    """Cells that a cell needs: all of it, or of what can be broken its longest part."""
    if not (column.folds or column.wraps) or isinstance(cell, Text):
        return _width_of(cell)
    parts = PARTS.findall(cell) if column.folds else cell.split()
    return min(MOST_OF_A_WORD, max(map(cell_len, parts), default=0))


PARTS = re.compile(r"[^/]*/|[^/]+")
"""Of an id."""


def _folded(cell: str | Text, width: int) -> str | Text:
    """An id in lines that end after a slash, each as full as it can be."""
    if isinstance(cell, Text) or cell_len(cell) <= width:
        return cell
    lines = [""]
    for part in PARTS.findall(cell):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in one unit."""
    if moment is None:
        return "never"
    elapsed = (now - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if elapsed >= size:
            return f"{elapsed / size:.0f} {unit} ago"
    return "just now"


def json_time(moment: datetime) -> str:
    """A time as JSON has it: 2026-11-22T20:10:00Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc(moment: datetime | None) -> str:
    """A time for tables, in UTC."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def mark(text: str, style: str) -> Text:
    """A word with a colour that only repeats what the word says."""
    return Text(text, style=style)
