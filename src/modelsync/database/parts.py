"""Long lists in parts: a statement names only so many things."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

NAMED_AT_ONCE = 500
"""SQLite's older versions take 999 parameters in a statement, and some statements have one more."""


def in_parts(items: Sequence[Item], size: int = NAMED_AT_ONCE) -> Iterator[Sequence[Item]]:
    """`items` in their order, at most `size` at once."""
    return (items[start : start + size] for start in range(0, len(items), size))
