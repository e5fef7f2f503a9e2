"""Why a value of the catalog is not simply what its provider says now: each reason as a value of its own."""

from datetime import datetime
from typing import Any

import msgspec

from modelsync.formats import held
from modelsync.planning.holding import RecordedHold


class Pinned(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="pin"):
    """An operator decided it. One that has `ended` stands until the next sync."""

    author: str
    reason: str
    at: datetime
    until: datetime | None
    ended: bool


class HeldPrice(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="hold"):
    """The stated price is not believed: it waits for a person, or one has rejected it."""

    id: int
    status: str
    message: str
    hint: str
    since: datetime
    rejected_by: str | None
    rejected_at: datetime | None
    reason: str | None
    commands: tuple[str, ...]


class HeldAbsence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="held-absence"):
    """The model is not listed, and stays all the same: its absence waits for a person, or one has rejected it."""

    id: int
    status: str
    message: str
    since: datetime
    rejected_by: str | None
    rejected_at: datetime | None
    reason: str | None
    commands: tuple[str, ...]


class LastBelieved(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="last-price"):
    """What was believed last of a price that does not stand now, USD per token or per its own unit; a new one is compared with it."""

    point: str
    usd: str
    until: datetime


class NotStated(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="silence"):
    """The provider's last listing does not state it, since a time where that is counted; the value is from an earlier one."""

    since: datetime | None


class PerhapsNotStated(msgspec.Struct, frozen=True, tag_field="kind", tag="perhaps-silence"):
    """The last listing does not state all that the model has here; of single fields that is not kept."""


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="absence"):
    """The model itself is missing or retired since a time: all its values are from an earlier listing."""

    status: str
    since: datetime | None


class Frozen(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="frozen"):
    """No sync changes anything of this provider."""

    since: datetime
    reason: str


class Unread(msgspec.Struct, frozen=True):
    """What is stated of a price and not read: a field, or a condition of a tier, and its text on the wire where that is kept."""

    name: str
    text: str | None


class Incomplete(msgspec.Struct, frozen=True, tag_field="kind", tag="incomplete"):
    """The price is not the whole price: a call may pay more."""

    unread: tuple[Unread, ...]


Reason = Pinned | HeldPrice | HeldAbsence | NotStated | PerhapsNotStated | LastBelieved | Incomplete | Absent | Frozen


def held_price(row: RecordedHold) -> HeldPrice:
    """Why a stated price is not believed, of the hold about it."""
    return HeldPrice(hint=row.hint, **_decision(row))


def held_absence(row: RecordedHold) -> HeldAbsence:
    """Why a model that is not listed stays, of the hold about that."""
    return HeldAbsence(**_decision(row))


def _decision(row: RecordedHold) -> dict[str, Any]:
    """What both kinds of holds say: the question, who rejected it, and the commands that decide it or take that back."""
    return {
        "id": row.id,
        "status": row.status,
        "message": row.message,
        "since": row.created_at,
        "rejected_by": row.resolved_by,
        "rejected_at": row.resolved_at,
        "reason": row.reason,
        "commands": held.commands(row),
    }
