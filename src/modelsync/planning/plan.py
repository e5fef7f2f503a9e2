"""What one sync would change: a value, made without touching anything. A dry run shows it, a sync applies it."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import compress
from operator import ne

import msgspec

from modelsync.model.fields import ALIAS, BELIEVED, BENEATH, BESIDE, LISTED, READER, Pin, pinned, value_of
from modelsync.model.model import NO_PRICES, PRICE_FIELDS, Model, Prices, claimed, price_facts
from modelsync.model.points import FLAT, PRICE_COLUMNS, changed, field_of, numbers
from modelsync.model.prices import number, plain
from modelsync.planning.holding import Hold, Refusal
from modelsync.planning.layers import Unstated, Upstream, effective, unstated_points
from modelsync.planning.listing import Listing


class ChangeKind(StrEnum):
    """What happens to a model."""

    ADDED = "added"
    UPDATED = "updated"
    MISSING = "missing"
    RETIRED = "retired"
    REVIVED = "revived"


BY_HAND = "by hand"
"""The content hash of a model that somebody added and no listing has had yet."""


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One field's old and new value. Prices are USD per token, or per their own unit."""

    field: str
    old: object
    new: object


class Correction(msgspec.Struct, frozen=True):
    """What a newer version of a provider's module reads otherwise of the same wire text: the versions before and now, and at which points.

    Only points at which the old reading is the price that stands: of what was held or refused nobody knows that it was misread.
    """

    before: int
    now: int
    points: frozenset[str]


class StoredModel(msgspec.Struct, frozen=True, gc=False):
    """One model as it stands in the catalog, with the times of its last real change and of its last price, and its upstream values.

    `alias` is the id under which the catalog offers it. `last` are the prices that were believed last and do not stand now, by point;
    `reader` is the version of the provider's module that saw the model last.
    """

    model: Model
    updated_at: datetime
    priced_at: datetime | None = None
    upstream: Upstream | None = None
    status: str = "active"
    missing_since: datetime | None = None
    missing_since_seq: int | None = None
    content_hash: str = ""
    alias: str = ""
    last: Mapping[str, Decimal] = {}
    reader: int | None = None

    @property
    def believed(self) -> Model:
        """The model without its pins."""
        return self.upstream.believed if self.upstream else self.model

    @property
    def stated(self) -> Model:
        """What the provider said last."""
        return self.upstream.stated if self.upstream else self.model

    @property
    def believed_numbers(self) -> dict[str, Decimal]:
        """The number of every point that was believed last, whether it stands now or not."""
        return {**self.last, **numbers(self.believed.prices)}


class Change(msgspec.Struct, frozen=True, gc=False):
    """What happens to one model. `model` is how it will stand in the catalog, `content_hash` that of what the provider said.

    `stated` is what the listing says, None when the model is not in it; `before` the model as it stands. `held` says that its price is
    not believed, `unstated` which prices are not stated any more, `pinned` which fields an operator decided, `alias` under which id the
    catalog offers it. `corrected` is what a newer version of the provider's module reads otherwise, and `reader` the version that saw the
    model last. `last`, where it is given, is what is remembered of prices believed before.
    No `fields` on an updated model means that only its metadata moved: the row is written, history is not. With fields of BESIDE only, what
    is seen stays too, and history tells what moved beside it. `updated_at` is the time of the last real change and `priced_at` that of the
    last price, where they are older than this plan.
    """

    kind: ChangeKind
    id: str
    model: Model
    content_hash: str
    fields: tuple[FieldChange, ...] = ()
    updated_at: datetime | None = None
    priced_at: datetime | None = None
    stated: Model | None = None
    before: StoredModel | None = None
    held: bool = False
    unstated: Mapping[str, Unstated] = {}
    pinned: tuple[str, ...] = ()
    alias: str = ""
    corrected: Correction | None = None
    reader: int | None = None
    last: Mapping[str, Decimal] | None = None


class Stored(msgspec.Struct, frozen=True):
    """What the database holds for one provider: every id with its hash, and the full rows a plan needs. Of models that an incomplete
    listing does not have, which it says nothing about, only the number may be known: `others`.

    `missing` were absent from the last complete listings, `due` are those of them that were absent often and long enough to be retired
    if they are absent again, `retired` those that are. `watched` are models that a sync looks at even if the provider says nothing new
    of them: they have upstream values. `pins` are what operators decided, by id. `version` is that of the provider's module now, and
    `read_version` the one that has seen every active model; `unseen` are the active ones that the present version has not seen.
    """

    hashes: Mapping[str, str]
    missing: frozenset[str] = frozenset()
    models: Mapping[str, StoredModel] = {}
    due: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    pins: Mapping[str, tuple[Pin, ...]] = {}
    version: int = 1
    read_version: int | None = 1
    unseen: frozenset[str] = frozenset()
    others: int = 0

    @property
    def standing(self) -> int:
        """How many models there are that are not retired."""
        return len(self.hashes) + self.others - len(self.retired)

    @property
    def gone(self) -> frozenset[str]:
        """Ids that are not active."""
        return self.missing | self.retired

    @property
    def looked_at(self) -> frozenset[str]:
        """Ids that a sync looks at when they are listed, even if the provider says nothing new of them."""
        return self.gone | self.watched | self.unseen


class Plan(msgspec.Struct, frozen=True):
    """All changes of one provider, in the order of their ids, and how many models stay as they are.

    `gone` are the models of the catalog, retired ones aside, that a complete listing does not have, newly or still. With `holds` a part
    of what the listing says is not applied; `rejected` are decisions of persons that keep something out; `refused` is the hold that
    keeps all of it from being applied, and `refusal` the person's word if it was rejected. `upstream` are the upstream values to
    remember, by model, None where there are none any more; `last` the prices that were believed last, by model and point, None where one
    stands again.
    `rehashed` are models of which nothing that is seen changed: the provider's words did, as of a price that is held, or what a pin hides,
    which history tells.
    `notices` are for people: the provider moved under a pin. `unstated` says that a price is not stated any more.
    """

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    gone: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    rejected: tuple[Refusal, ...] = ()
    refused: Hold | None = None
    refusal: Refusal | None = None
    upstream: Mapping[str, Upstream | None] = {}
    last: Mapping[str, Mapping[str, Decimal | None]] = {}
    rehashed: tuple[Change, ...] = ()
    notices: tuple[str, ...] = ()
    unstated: bool = False

    @property
    def absent(self) -> int:
        """How many models are gone."""
        return len(self.gone)

    @property
    def digest(self) -> str:
        """16 hex digits over all that it would change and hold."""
        changes = [(change.kind, change.id, change.content_hash, plain(change.fields)) for change in self.changes]
        held = [(hold.kind, hold.ids, hold.detail) for hold in self.holds]
        return hashlib.sha256(msgspec.json.encode((changes, held, self.gone, self.unchanged), order="deterministic")).hexdigest()[:16]

    @property
    def written(self) -> tuple[Change, ...]:
        """The changes whose rows are written."""
        return (*self.changes, *self.rehashed)

    @property
    def writes(self) -> bool:
        """Whether applying it writes any model, or any upstream value."""
        return bool(self.written or self.upstream or self.last)

    @property
    def waits(self) -> bool:
        """Whether time alone may change what is made of the same listing."""
        return bool(self.holds or self.rejected) or self.unstated

    def count(self, *kinds: ChangeKind) -> int:
        """How many changes are of one of `kinds`."""
        return sum(change.kind in kinds for change in self.changes)


NOTHING_STORED = Stored({})


class Differing(msgspec.Struct, frozen=True):
    """Ids that a listing has otherwise than they are stored, new ones among them, and stored ones that it does not have."""

    otherwise: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def difference(listing: Listing, stored: Stored) -> Differing:
    """The only look at every model; all that follows is about those of which something moved."""
    listed, known = listing.hashes, stored.hashes
    otherwise = tuple(compress(listed, map(ne, listed.values(), map(known.get, listed))))
    if len(listed) - sum(row_id not in known for row_id in otherwise) == len(known):
        return Differing(otherwise)
    seen = listing.seen
    return Differing(otherwise, tuple(row_id for row_id in known if row_id not in seen))


def needed(listing: Listing, stored: Stored, different: Differing | None = None) -> list[str]:
    """Ids whose full stored rows `make_plan` will look at: those that differ, came back, are newly absent, watched, or will be retired."""
    different, known = different or difference(listing, stored), stored.hashes.keys()
    came = known & different.otherwise
    if stored.looked_at:
        came |= (listing.seen & stored.looked_at | stored.watched) & known
    gone = stored.due.union(different.absent) - (stored.gone - stored.due) if listing.complete else frozenset()
    return sorted(came | gone)


def make_plan(listing: Listing, stored: Stored, different: Differing | None = None) -> Plan:
    """What the provider lists, as changes of what is stored, before anything of it is doubted and before pins.

    A model that a complete, non-empty listing does not have is marked missing, and stays active; it is retired once it was absent often
    and long enough, and revived when it is listed again. A value that is not stated any more does not erase the one that is known.
    """
    different = different or difference(listing, stored)
    known, seen, looked_at = stored.hashes, listing.seen, stored.looked_at
    again = looked_at.intersection(listing.hashes).difference(different.otherwise) if looked_at else ()
    moved = (*different.otherwise, *again)
    changes: list[Change] = []
    for row_id in moved:
        stated, digest = listing.models[row_id], listing.hashes[row_id]
        if row_id in known:
            changes.append(_changed(stored, row_id, stated, digest))
        else:
            prices = claimed(stated.prices)
            model = stated if prices is stated.prices else msgspec.structs.replace(stated, prices=prices)
            changes.append(Change(ChangeKind.ADDED, row_id, model, digest, stated=stated, reader=stored.version))
    gone = sorted(row_id for row_id in different.absent if row_id not in stored.retired) if listing.complete and seen else []
    changes += [_as_it_was(stored, row_id, ChangeKind.MISSING) for row_id in gone if row_id not in stored.missing]
    changes += [_retired(stored, row_id) for row_id in gone if row_id in stored.due]
    rejected = {row_id for row_id in looked_at if row_id in seen and row_id in known and row_id not in listing.models}
    changes += [_unread(stored, row_id) for row_id in sorted(rejected)]
    return Plan(tuple(sorted(changes, key=lambda change: change.id)), len(listing.hashes) - len(moved), tuple(gone))


def with_watched(plan: Plan, stored: Stored) -> Plan:
    """The plan with every watched model in it: a pin may have ended on one of which the listing says nothing that is believed."""
    others = (stored.watched & stored.hashes.keys()) - {change.id for change in plan.changes} if stored.watched else set()
    if not others:
        return plan
    changes = (*plan.changes, *(_as_it_was(stored, row_id, ChangeKind.UPDATED) for row_id in others))
    return msgspec.structs.replace(plan, changes=tuple(sorted(changes, key=lambda change: change.id)))


def retirements(stored: Stored) -> Plan:
    """What a listing that did not change brings about: the retirement of models that it does not have for long enough."""
    return Plan(tuple(_retired(stored, row_id) for row_id in sorted(stored.due)), gone=tuple(sorted(stored.missing)))


def _changed(stored: Stored, row_id: str, model: Model, digest: str) -> Change:
    """The change of a stored model that is listed otherwise, or listed again: `model` over what was believed, without misread prices."""
    before = stored.models[row_id]
    kind = ChangeKind.REVIVED if row_id in stored.gone else ChangeKind.UPDATED
    corrected = _corrected(stored, row_id, model.prices)
    claims = msgspec.structs.replace(model, prices=claimed(model.prices))
    new = effective(claims, before.believed)
    misread = dict.fromkeys(corrected.points - numbers(claims.prices).keys()) if corrected else {}
    if misread:
        new = msgspec.structs.replace(new, prices=changed(new.prices, misread, new.prices))
    change = Change(kind, row_id, new, digest, _back(stored, row_id), stated=model, before=before)
    return msgspec.structs.replace(change, corrected=corrected, reader=stored.version)


def _corrected(stored: Stored, row_id: str, prices: Prices) -> Correction | None:
    """What this version of the module is the first to read otherwise in the same text, of prices that stand as they were read."""
    before = stored.models[row_id]
    version = _reader(stored, row_id)
    if version is None or version >= stored.version or not _is_same_wire(before.stated.prices, prices):
        return None
    then, claims, possible = numbers(claimed(before.stated.prices)), numbers(claimed(prices)), numbers(prices)
    stands = numbers(before.believed.prices)
    points = frozenset(
        point for point, usd in then.items() if stands.get(point) == usd != claims.get(point) and (point in possible or point not in claims)
    )
    return Correction(version, stored.version, points) if points else None


def _reader(stored: Stored, row_id: str) -> int | None:
    """The version of the module that saw a model last; not every program before this one wrote it down with each model."""
    versions = (stored.models[row_id].reader, None if row_id in stored.gone else stored.read_version)
    return max((version for version in versions if version is not None), default=None)


def is_corrected(change: Change, point: str) -> bool:
    """Whether only the reading of this point moved, of a price that was believed as it was read."""
    return change.corrected is not None and point in change.corrected.points


def _is_same_wire(old: Prices, new: Prices) -> bool:
    """Whether a price is written as it was, as far as that is known: with the same text in every field, but for zeros.

    A field without a text before may have said anything, as that the price varies. Texts of tiers were not kept by every version. Where
    a number has no text, as after a rollback, nobody knows what was read: the others may be those of another listing.
    """
    if not old.raw or _flat(old.raw) < sum(point in FLAT for point in numbers(old)):
        return False
    before, now = _wire_texts(old), _wire_texts(new)
    if not any("[" in field for field in before):
        now = {field: text for field, text in now.items() if "[" not in field}
    fields = before.keys() | now.keys()
    return all(_same_text(before.get(field, "0"), now.get(field, "0")) for field in fields)


def _flat(texts: Mapping[str, str]) -> int:
    """How many of the texts are no tier's: `prompt_tiers[0]` is one's."""
    return sum("[" not in field for field in texts)


def _same_text(one: str, other: str) -> bool:
    return one == other or (number(one.encode()) == 0 and number(other.encode()) == 0)


def _wire_texts(prices: Prices) -> dict[str, str]:
    """How each price field was written, without units and quotes: the same whatever the reader made of it."""
    read = {field: text.partition(" ")[0] for field, text in prices.raw.items()}
    return {**{field: text.strip('"') for field, text in prices.others.items()}, **read}


def _retired(stored: Stored, row_id: str) -> Change:
    change = _as_it_was(stored, row_id, ChangeKind.RETIRED)
    inactive = msgspec.structs.replace(change.model, available=False)
    return msgspec.structs.replace(change, model=inactive, fields=(FieldChange("status", "missing", "retired"),))


def _unread(stored: Stored, row_id: str) -> Change:
    """A model that is listed in a row that cannot be read: present, and otherwise as it was known."""
    change = _as_it_was(stored, row_id, ChangeKind.REVIVED if row_id in stored.gone else ChangeKind.UPDATED)
    available = True if row_id in stored.retired else change.model.available
    model = msgspec.structs.replace(change.model, available=available)
    return msgspec.structs.replace(change, model=model, fields=_back(stored, row_id), reader=stored.version)


def _back(stored: Stored, row_id: str) -> tuple[FieldChange, ...]:
    return (FieldChange("status", "retired", "active"),) if row_id in stored.retired else ()


def _as_it_was(stored: Stored, row_id: str, kind: ChangeKind) -> Change:
    before = stored.models[row_id]
    unstated = before.upstream.unstated if before.upstream else {}
    return Change(kind, row_id, before.believed, stored.hashes[row_id], before=before, unstated=unstated, reader=before.reader)


# The last step: what is believed, under what is pinned


def settled(plan: Plan, stored: Stored) -> Plan:
    """The plan with pins over what is believed, and every change described by its fields; what changes nothing is left out."""
    changes: list[Change] = []
    rehashed: list[Change] = []
    upstream: dict[str, Upstream | None] = {}
    last: dict[str, Mapping[str, Decimal | None]] = {}
    notices: list[str] = []
    for change in plan.changes:
        pins = stored.pins.get(change.id, ())
        upstream_now = _upstream(change, pins)
        if upstream_now != (change.before.upstream if change.before else None):
            upstream[change.id] = upstream_now
            notices += _moved(change, pins)
        if remembered := _remembered(change):
            last[change.id] = remembered
        described = _described(change, pins)
        if not _is_unchanged(described):
            changes.append(described)
        elif described.fields or change.content_hash != stored.hashes[change.id] or _is_read_anew(described):
            rehashed.append(described)
    return msgspec.structs.replace(
        plan,
        changes=tuple(changes),
        unchanged=plan.unchanged + sum(change.stated is not None for change in plan.changes) - sum(c.stated is not None for c in changes),
        upstream=upstream,
        last=last,
        rehashed=tuple(rehashed),
        notices=tuple(notices),
        unstated=any(change.unstated for change in plan.changes),
    )


def _upstream(change: Change, pins: tuple[Pin, ...]) -> Upstream | None:
    """What the provider said last beside what is believed, of a model that does not simply stand so. An act says nothing new of it."""
    stated = change.stated or (change.before.stated if change.before else change.model)
    was_apart = change.stated is None and change.before is not None and change.before.upstream is not None
    goes_apart = change.stated is None and msgspec.structs.replace(stated, available=change.model.available) != change.model
    if not (pins or change.held or change.unstated or was_apart or goes_apart or _carries_over(change)):
        return None
    return Upstream(stated, change.model, change.unstated)


def _carries_over(change: Change) -> bool:
    """Whether a price stands that this listing does not state, even an incomplete listing, which makes no price `unstated`."""
    return change.stated is not None and any(unstated_points(claimed(change.stated.prices), change.model.prices))


def _remembered(change: Change) -> dict[str, Decimal | None]:
    """What of the prices believed last is to be remembered, because it does not stand any more; None for what need not be."""
    before = change.before
    if before is None or (change.last is None and before.believed.prices == change.model.prices):
        return {}
    live = numbers(change.model.prices)
    still = {point: usd for point, usd in before.believed_numbers.items() if not is_corrected(change, point)}
    known = still if change.last is None else change.last
    not_live = {point: usd for point, usd in known.items() if point not in live}
    return {
        **{point: None for point in before.last if point not in not_live},
        **{point: usd for point, usd in not_live.items() if before.last.get(point) != usd},
    }


def _moved(change: Change, pins: tuple[Pin, ...]) -> Iterable[str]:
    """A sentence for every pinned field of which the provider now says something else."""
    if change.before is None or change.stated is None:
        return
    for pin in pins:
        old, new = value_of(change.before.believed, pin.field), value_of(change.model, pin.field)
        if old != new:
            yield f"{change.id}: {pin.field} is pinned to {plain(pin.value)}; the provider moved from {plain(old)} to {plain(new)}"


def _described(change: Change, pins: tuple[Pin, ...]) -> Change:
    """The change under its pins, with the fields that users see change, and the times of its last real change and of its last price."""
    if change.before is None and not pins:
        return change
    model, alias = pinned(change.model, pins), _alias(change, pins)
    names = tuple(pin.field for pin in pins)
    before = change.before
    if before is None:
        return msgspec.structs.replace(change, model=model, alias=alias, pinned=names)
    renamed = (FieldChange(ALIAS, before.alias, alias),) if alias != before.alias else ()
    listed = (FieldChange(LISTED, False, True),) if before.content_hash == BY_HAND != change.content_hash else ()
    seen, believed = tuple(differences(before.model, model)), tuple(differences(before.believed, change.model))
    facts = (*(field for field in change.fields if field.field not in BESIDE), *renamed, *listed, *seen)
    beside = (*(field for field in change.fields if field.field in BESIDE), *_correction(change, before, (*seen, *believed)))
    return msgspec.structs.replace(
        change,
        model=model,
        alias=alias,
        fields=(*facts, *beside, *_beneath(change.model, seen, believed)),
        updated_at=before.updated_at if not facts and change.kind is ChangeKind.UPDATED else None,
        priced_at=None if any(field.field.startswith("pricing") for field in seen) else before.priced_at,
        pinned=names,
    )


def _beneath(model: Model, seen: Iterable[FieldChange], believed: Iterable[FieldChange]) -> Iterable[FieldChange]:
    """What moves of what is believed where that is not what is seen to move: going back needs to know what a pin hid."""
    moves, shows = {field.field: field for field in believed}, {field.field: field for field in seen}
    apart = sorted(name for name in moves.keys() | shows.keys() if moves.get(name) != shows.get(name))
    if apart:
        hidden = [moves.get(name) or FieldChange(name, (value := value_of(model, name)), value) for name in apart]
        yield FieldChange(BENEATH, {each.field: each.old for each in hidden}, {each.field: each.new for each in hidden})


def _correction(change: Change, before: StoredModel, moved: Iterable[FieldChange]) -> Iterable[FieldChange]:
    """That a newer reading moved a price, seen or believed; and what was believed of other points that stand no more.

    A change with a correction in it forgets what it moves, but for these.
    """
    corrected = change.corrected
    if corrected is None or {field_of(point) for point in corrected.points}.isdisjoint(field.field for field in moved):
        return
    yield FieldChange(READER, corrected.before, corrected.now)
    stands = numbers(change.model.prices)
    left = {point: usd for point, usd in numbers(before.believed.prices).items() if point not in stands and point not in corrected.points}
    if left:
        yield FieldChange(BELIEVED, left, left)


def _alias(change: Change, pins: tuple[Pin, ...]) -> str:
    """The id under which a model is offered: as pinned, or else the provider's; one that was never pinned stays as it is."""
    chosen = next((pin.value for pin in pins if pin.field == ALIAS), None)
    if chosen is not None:
        return str(chosen)
    return change.before.alias if change.before and change.before.upstream is None else change.id


def _is_unchanged(change: Change) -> bool:
    """Whether the model stays exactly as it is."""
    return (
        change.kind is ChangeKind.UPDATED
        and change.before is not None
        and all(field.field in BESIDE and field.field != LISTED for field in change.fields)
        and change.model.metadata == change.before.model.metadata
    )


def _is_read_anew(change: Change) -> bool:
    """Whether another version of the provider's module has seen the model than is written down with its price."""
    priced = msgspec.structs.replace(change.model.prices, problems=()) != NO_PRICES
    return priced and change.before is not None and change.reader != change.before.reader


_NAMES = {"available": "is_active"}


def differences(before: Model, after: Model) -> Iterable[FieldChange]:
    """The facts in which two states of a model differ, under the names of their columns; parts of the price document as `pricing.…`."""
    for name in Model.__struct_fields__:
        if name in ("id", "metadata", "prices"):
            continue
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield FieldChange(_NAMES.get(name, name), old, new)
    for name, old, new in zip(PRICE_FIELDS, price_facts(before.prices), price_facts(after.prices), strict=True):
        if old != new:
            yield FieldChange(PRICE_COLUMNS.get(name, f"pricing.{name}"), old, new)
