"""How values look: consoles, prices, times, counts. Unknown is a dash, free is a word, 0 is never shown for either."""

import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
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
    """A sentence: wrapped to a terminal, left whole for files and pipes."""
    console.print(text, soft_wrap=not console.is_terminal)


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_json_value) + "\n")


def _json_value(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
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


def utc(moment: datetime | None) -> str:
    """A time for tables, in UTC."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def mark(text: str, style: str) -> Text:
    """A word with a colour that only repeats what the word says."""
    return Text(text, style=style)
