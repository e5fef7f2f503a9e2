"""Saved plans: what a dry run read and would do, as a file that `modelsync apply` does exactly, or not at all."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from modelsync import files
from modelsync.database.tables.runs import Seen
from modelsync.errors import UsageError
from modelsync.model.prices import plain_decimals
from modelsync.planning.listing import Listing
from modelsync.sync.request import Expected

VERSION = 2
BEGINS = b'{"modelsync_plan":'


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's listing, the plan that was made of it, and the settings (`scope`) and normalizer it was read with.

    Without a listing the provider says that its last one still holds: that which is `seen`.
    """

    slug: str
    scope: str
    normalizer: int
    place: str | None
    listing: Listing | None
    seen: Seen | None
    whole: bool
    expected: Expected


class File(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    modelsync_plan: int
    made_at: datetime
    plans: tuple[SavedPlan, ...]


def dumped(plans: Sequence[SavedPlan], made_at: datetime) -> bytes:
    """A file's bytes: JSON, prices as plain digits."""
    file = File(modelsync_plan=VERSION, made_at=made_at, plans=tuple(plans))
    return msgspec.json.encode(plain_decimals(msgspec.to_builtins(file, builtin_types=(Decimal,))))


def loaded(data: bytes) -> File:
    """A saved file. UsageError when it is none, or of another version."""
    try:
        file = msgspec.json.decode(data, type=File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UsageError("That is no saved plan", "Make one: modelsync sync --dry-run --save FILE") from None
    if file.modelsync_plan != VERSION:
        raise UsageError("The plan was saved by another version of modelsync", "Make a new one: modelsync sync --dry-run --save FILE")
    return file


def save(path: Path, plans: Sequence[SavedPlan], made_at: datetime, taken: Collection[Path]) -> None:
    """Write plans to a file. UsageError when they cannot go there."""
    refuse(path, taken)
    try:
        files.write(path, dumped(plans, made_at))
    except OSError as error:
        raise _unwritten(path, error) from error


def refuse(path: Path, taken: Collection[Path]) -> None:
    """UsageError unless nothing is at a path, or a saved plan; `taken` are paths that are the database's, there or not."""
    if path.resolve() in taken:
        raise UsageError(f"{path} is the catalog, or a part of it", OTHER)
    try:
        if (path.is_symlink() or path.exists()) and not _is_plan(path):
            raise UsageError(f"{path} is there already, and no saved plan", OTHER)
    except OSError as error:
        raise _unwritten(path, error) from error


def _is_plan(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(BEGINS)) == BEGINS


OTHER = "Nothing was written; name another file"


def _unwritten(path: Path, error: OSError) -> UsageError:
    return UsageError(f"The plan cannot be written to {path} ({error.strerror})", "Name another file")
