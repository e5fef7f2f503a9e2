"""docs/performance.md and its pictures, as docs/performance.json makes them."""

from pathlib import Path

import record
from record import Record

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = DOCS / "performance.json"


def files(_made: Record) -> dict[Path, str]:
    """Every file that follows from a record."""
    return {}


def write(made: Record) -> None:
    """The record and what follows from it."""
    FIGURES.write_text(record.written(made), "utf-8")
    for path, text in files(made).items():
        path.write_text(text, "utf-8")
