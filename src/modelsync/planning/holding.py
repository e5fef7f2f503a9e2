"""Holds and what persons decided about them, as values: which still stand, and what a listing does to each.

A hold's number stands for exactly what was shown under it: its kind, its ids and the values that are claimed. What a later listing
claims otherwise is another hold. A decision is about that content too, and about an absence only until a model is listed again.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.model.model import Model, claimed
from modelsync.model.points import numbers

PRICE, UNIT_CHANGE = "price", "unit-change"
OF_PRICES = (PRICE, UNIT_CHANGE)
"""Kinds about prices: each is about the values that are claimed."""

SHRINK, SCOPE = "shrink", "scope"
OF_ABSENCE = (SHRINK, SCOPE)
"""Kinds about models that are not listed: each is about exactly its ids, for as long as all of them are absent."""

EMPTY, INVALID, OTHER_CATALOG = "empty", "invalid", "other-catalog"
OF_WHOLE_LISTS = (EMPTY, INVALID, OTHER_CATALOG)
"""Kinds that keep a whole listing out."""

TOTAL = "total"
"""The kind of a list that keeps being shorter than it says."""

KINDS = (*OF_PRICES, *OF_ABSENCE, TOTAL, OTHER_CATALOG, EMPTY, INVALID)
"""Every kind."""

NEW = "new"
"""What the detail of another catalog calls the ids that are new in it."""

UNDECIDABLE = (EMPTY, INVALID)
"""Kinds that hold nothing which could be applied."""

WAIT_AGAIN = (*OF_PRICES, SHRINK, OTHER_CATALOG)
"""Kinds that no rule need ask about again by itself, once a person took the decision about it back."""

Content = tuple[Any, ...]


class Hold(msgspec.Struct, frozen=True):
    """What waits for a person: the kind ("shrink", "price", …), what happened, what to do, and the ids it is about.

    `detail` is `{field: [believed, stated]}` of a held price, in JSON values; of a change of unit it holds these by id; of a list that
    is too short `{"rows": how many it lacks}`; of another catalog `{"new": [ids]}`. `needs_person` says that no rule ends it, whatever the
    limits are by then, until the provider says something else: a person took a decision about it back.
    """

    kind: str
    message: str
    hint: str
    ids: tuple[str, ...] = ()
    detail: Mapping[str, Any] | None = None
    needs_person: bool = False

    @property
    def content(self) -> Content:
        """What the hold stands for; the same content has the same number."""
        return content(self.kind, self.ids, self.detail)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A hold in the catalog that is open, or that a person decided: who, when and why.

    `over` are ids that the decision is not about any more: of an absence those that have been listed since, of a confirmed price those
    whose price was listed since with nothing of it held, or was moved on by a later act. `agreed_at` is when a later listing first claimed
    the same; `needs_person` as of Hold.
    """

    id: int
    kind: str
    status: str
    message: str = ""
    ids: tuple[str, ...] = ()
    detail: Mapping[str, Any] | None = None
    needs_person: bool = False
    over: frozenset[str] = frozenset()
    agreed_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    reason: str | None = None

    @property
    def content(self) -> Content:
        """As of Hold."""
        return content(self.kind, self.ids, self.detail)

    @property
    def about(self) -> frozenset[str]:
        """The ids that an absence or a decision about one is still about."""
        return frozenset(self.ids) - self.over


class Stood(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stood of a model's price when a person confirmed another one, at the points that were shown: the way back.

    `live` are the numbers that stood, `last` those that were believed before and did not stand, USD per token or per their own unit;
    `dynamic` says that the price varied by request, and `live` are all numbers that stood beside that.
    """

    live: Mapping[str, Decimal] = {}
    last: Mapping[str, Decimal] = {}
    dynamic: bool = False


class RecordedHold(Standing, frozen=True, kw_only=True):
    """A hold of whatever status, with all that is recorded of it. `stood` is a Stood of each model when a person confirmed it, as JSON."""

    provider: str
    hint: str
    times_seen: int
    created_at: datetime
    last_seen_at: datetime
    stood: Mapping[str, Any] | None


class Refusal(msgspec.Struct, frozen=True):
    """A person's rejection that keeps something of this listing out, and what that is."""

    standing: Standing
    what: str

    @property
    def message(self) -> str:
        """Who rejected it, when and why, and the way back."""
        row = self.standing
        when = f" on {row.resolved_at:%Y-%m-%d %H:%M} UTC" if row.resolved_at else ""
        why = f" ({row.reason})" if row.reason else ""
        return f'{self.what}: {row.resolved_by} rejected it{when}{why}; `modelsync reopen {row.id} --reason "…"` takes that back'


def content(kind: str, ids: Iterable[str], detail: Mapping[str, object] | None) -> Content:
    """What a hold stands for, comparable: of a short list the number of rows, else the ids; of prices with the values on both sides.

    Ten times one price is another question than five times another one, even where both lead to the same.
    """
    if kind == TOTAL:
        return (kind, (detail or {}).get("rows"))
    return (kind, *sorted(ids), *sorted(_values(kind, tuple(ids), detail)), *_new(kind, detail))


def _values(kind: str, ids: Sequence[str], detail: Mapping[str, object] | None) -> Iterable[tuple[str, str, str | None, str]]:
    """Model, point, the value before and the claimed one."""
    if kind not in OF_PRICES:
        return ()
    by_id: Mapping[str, Any] = {ids[0]: detail or {}} if kind == PRICE else detail or {}
    return ((row_id, point, values[0], values[1]) for row_id, fields in by_id.items() for point, values in fields.items())


def shown(row: Hold | Standing) -> dict[str, dict[str, tuple[str | None, str]]]:
    """The values on both sides of a hold about prices, as digits by model and point."""
    values_by_id: dict[str, dict[str, tuple[str | None, str]]] = {}
    for row_id, point, before, value in _values(row.kind, row.ids, row.detail):
        values_by_id.setdefault(row_id, {})[point] = (before, value)
    return values_by_id


def claims(row: Hold | Standing) -> dict[str, dict[str, str]]:
    """The claimed values of a hold about prices, as digits by model and point."""
    return {row_id: {point: value for point, (_, value) in points.items()} for row_id, points in shown(row).items()}


def _new(kind: str, detail: Mapping[str, Any] | None) -> Sequence[str]:
    """The ids that another catalog has and this one has not."""
    return (detail or {}).get(NEW, ()) if kind == OTHER_CATALOG else ()


# What persons decided


def accepted(standing: Iterable[Standing]) -> frozenset[str]:
    """Ids whose absence a person confirmed."""
    return _decided(standing, "confirmed")


def refused(standing: Iterable[Standing]) -> frozenset[str]:
    """Ids whose absence a person rejected: they count as there."""
    return _decided(standing, "rejected")


def _decided(standing: Iterable[Standing], status: str) -> frozenset[str]:
    return frozenset(row_id for row in standing if row.status == status and row.kind not in OF_PRICES for row_id in row.about)


def decision_about(hold: Hold, status: str, standing: Iterable[Standing]) -> Standing | None:
    """The decision about a whole listing that is one about this listing too.

    It lacks nothing but what that one lacked, and of what is new in it nine in ten ids were shown then: lists go on changing while
    people think.
    """
    return next((row for row in standing if (row.status, row.kind) == (status, hold.kind) and _is_same_list(row, hold)), None)


def _is_same_list(row: Standing, hold: Hold) -> bool:
    new = set(_new(hold.kind, hold.detail))
    return row.about.issuperset(hold.ids) and len(new.difference(_new(row.kind, row.detail))) * 10 <= len(new)


def parts(kind: str, ids: Iterable[str], standing: Iterable[Standing]) -> list[tuple[str, ...]]:
    """The ids of an absence by hold: those that were shown already, as they were shown, and the rest as one more."""
    left = set(ids)
    groups: list[tuple[str, ...]] = []
    for row in standing:
        if row.kind == kind and row.status == "open" and row.ids and left.issuperset(row.ids):
            groups.append(row.ids)
            left.difference_update(row.ids)
    return [*groups, tuple(sorted(left))] if left else groups


# What a listing does to them


class Move(msgspec.Struct, frozen=True):
    """A standing hold gets another status, and other ids that are over; with the status it has, a later listing says the same."""

    row: Standing
    status: str
    over: frozenset[str] = frozenset()


class Moves(msgspec.Struct, frozen=True):
    """What a listing does to the holds of its provider: those that move, and those that are new."""

    moved: tuple[Move, ...]
    new: tuple[Hold, ...]


class Sight(msgspec.Struct, frozen=True):
    """What a listing can tell: the ids it shows, the models that were read, and whether it is complete and believed as a whole.

    `corrected` are the points of which a newer version of the provider's module moved the price, by model.
    """

    seen: Set[str]
    read: Mapping[str, Model]
    complete: bool
    refused: bool
    retired: frozenset[str] = frozenset()
    corrected: Mapping[str, Set[str]] = {}


def moves(standing: Iterable[Standing], holds: Iterable[Hold], sight: Sight) -> Moves:
    """What becomes of every standing hold when a listing holds `holds`.

    A listing says nothing of what it does not show: an incomplete one nothing of absence, one that is refused nothing of its parts.
    """
    new = {hold.content: hold for hold in holds}
    touched = {row_id for hold in new.values() if hold.kind in OF_PRICES for row_id in hold.ids}
    kinds = {hold.kind for hold in new.values()}
    moved: list[Move] = []
    for row in standing:
        if row.status == "open" and (same := _same(row, new)) is not None:
            del new[same]
            moved.append(Move(row, "open", row.over))
        elif row.status == "open" and _answered(row, sight, kinds):
            moved.append(Move(row, "superseded" if _is_other_content(row, sight, touched, kinds) else "released", row.over))
        elif row.status in ("confirmed", "rejected") and not sight.refused:
            moved += _ended(row, sight, touched)
    return Moves(tuple(moved), tuple(new.values()))


def _same(row: Standing, new: Mapping[Content, Hold]) -> Content | None:
    """The content under which a listing asks the same: another catalog may have gained a few ids since it was shown.

    What only a person can end now is another question than what a rule might have ended.
    """
    if row.kind == OTHER_CATALOG:
        return next((key for key, hold in new.items() if hold.kind == row.kind and _is_same_list(row, hold)), None)
    hold = new.get(row.content)
    return row.content if hold is not None and (row.needs_person or not hold.needs_person) else None


def _answered(row: Standing, sight: Sight, kinds: Set[str]) -> bool:
    """Whether this listing can tell how what was held stands now.

    An incomplete listing can tell that models are there. One that is refused tells of whole lists only, and of one that was taken back
    only when it is another catalog itself.
    """
    if row.kind in OF_PRICES:
        return not sight.refused and shows_prices(row, sight.read, sight.retired)
    if row.kind == TOTAL:
        return not sight.refused
    if row.kind in OF_ABSENCE or row.needs_person:
        if sight.refused:
            return row.kind == OTHER_CATALOG and OTHER_CATALOG in kinds
        return sight.complete or not sight.seen.isdisjoint(row.about)
    return sight.complete


def shows_prices(row: Standing, read: Mapping[str, Model], retired: Set[str]) -> bool:
    """Whether a listing shows how the prices of a hold stand: of every model that is not retired.

    A price that was taken back waits while its model is retired: listed again, the model may state the same.
    """
    points, gone = shown(row), frozenset[str]() if row.needs_person else retired
    return all(each in gone or _shows_price(row, points.get(each, {}), read.get(each)) for each in row.ids)


def _shows_price(row: Standing, points: Mapping[str, tuple[str | None, str]], model: Model | None) -> bool:
    """Whether a listing shows how a model's held price stands; an unstated price ends no change of unit, and nothing that was taken back.

    Of a change of unit one of the prices that moved is enough: a first price that only came with it may go with it.
    """
    if model is None:
        return False
    if model.prices.dynamic or not (row.needs_person or row.kind == UNIT_CHANGE):
        return True
    stated = numbers(claimed(model.prices)).keys()
    if row.needs_person:
        return points.keys() <= stated
    moved = {point for point, (old, _) in points.items() if old is not None}
    return not moved or not moved.isdisjoint(stated)


def _is_other_content(row: Standing, sight: Sight, touched: set[str], kinds: set[str]) -> bool:
    if row.kind in OF_PRICES:
        return not touched.isdisjoint(row.ids)
    if row.kind in OF_ABSENCE:
        return bool(row.over) or not sight.seen.isdisjoint(row.ids)
    return row.kind in kinds or (row.needs_person and SHRINK in kinds)


def _ended(row: Standing, sight: Sight, touched: Set[str]) -> Iterable[Move]:
    """A decision that has done its work: what was confirmed is complete, the model whose absence was rejected is listed again.

    A confirmed price may not stand yet, while something else of its model's price is held; unless it was corrected away since it did.
    """
    if row.kind in OF_PRICES:
        if row.status == "confirmed":
            corrected = {row_id for row_id, points in claims(row).items() if not points.keys().isdisjoint(sight.corrected.get(row_id, ()))}
            over = row.over | (sight.read.keys() & frozenset(row.ids)) - (touched - corrected)
            left = frozenset(row.ids) - over - sight.retired
            if over != row.over or not left:
                yield Move(row, "confirmed" if left else "closed", over)
    elif row.kind in UNDECIDABLE:
        yield Move(row, "released", row.over)
    elif row.kind != TOTAL:
        over = row.over | frozenset(row.ids).intersection(sight.seen)
        left = frozenset(row.ids) - over - (sight.retired if row.status == "confirmed" else frozenset())
        if not left:
            yield Move(row, "closed" if row.status == "confirmed" else "released", over)
        elif over != row.over:
            yield Move(row, row.status, over)
