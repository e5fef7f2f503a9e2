"""What one sync would change: a value, made without touching anything. A dry run shows it, a sync applies it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from modelsync.model import PRICE_FIELDS, Model, Prices, price_facts
from modelsync.reading import Listing


class Kind(StrEnum):
    """What happens to a model."""

    ADDED = "added"
    UPDATED = "updated"
    MISSING = "missing"
    RETIRED = "retired"
    REVIVED = "revived"


class FieldChange(msgspec.Struct, frozen=True):
    """One field's old and new value. Prices are USD per token, or per their own unit."""

    field: str
    old: object
    new: object


class Change(msgspec.Struct, frozen=True):
    """What happens to one model. `model` is how it will stand in the catalog, `content_hash` that of what the provider said.

    No `fields` on an updated model means that only its metadata moved: the row is written, history is not. `updated_at` is the time of the
    last real change and `priced_at` that of the last price, where they are older than this plan.
    """

    kind: Kind
    id: str
    model: Model
    content_hash: str
    fields: tuple[FieldChange, ...] = ()
    updated_at: datetime | None = None
    priced_at: datetime | None = None


class StoredModel(msgspec.Struct, frozen=True):
    """One model as it stands in the catalog, with the times of its last real change and of its last price."""

    model: Model
    updated_at: datetime
    priced_at: datetime | None = None


class Stored(msgspec.Struct, frozen=True):
    """What the database holds for one provider: every id with its hash, and the full rows a plan needs.

    `missing` were absent from the last complete listings, `due` are those of them that were absent often and long enough to be retired
    if they are absent again, `retired` those that are.
    """

    hashes: Mapping[str, str]
    missing: frozenset[str] = frozenset()
    models: Mapping[str, StoredModel] = {}
    due: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()

    @property
    def gone(self) -> frozenset[str]:
        """Ids that are not active."""
        return self.missing | self.retired


class Hold(msgspec.Struct, frozen=True):
    """What waits for a person: the kind ("shrink", "empty", …), what happened, what to do, and the ids it is about."""

    kind: str
    message: str
    hint: str
    ids: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """All changes of one provider, in the order of their ids, and how many models stay as they are.

    `gone` are the models of the catalog, retired ones aside, that a complete listing does not have, newly or still. With `holds` a part
    of what the listing says is not applied; `refused` is the hold that keeps all of it from being applied.
    """

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    gone: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    refused: Hold | None = None

    @property
    def absent(self) -> int:
        """How many models are gone."""
        return len(self.gone)

    def count(self, *kinds: Kind) -> int:
        """How many changes are of one of `kinds`."""
        return sum(change.kind in kinds for change in self.changes)


NOTHING_STORED = Stored({})


def needed(listing: Listing, stored: Stored) -> list[str]:
    """Ids whose full stored rows `make_plan` will look at: those that differ, came back, are newly absent, or will be retired."""
    hashes, away = stored.hashes, stored.gone
    if listing.hashes == hashes and not away:
        return []
    seen = listing.seen
    came = {row_id for row_id, digest in listing.hashes.items() if hashes.get(row_id, digest) != digest}
    came |= seen & away
    gone = {row_id for row_id in hashes if row_id not in seen and row_id not in away} | stored.due if listing.complete else set()
    return sorted(came | gone)


def make_plan(listing: Listing, stored: Stored) -> Plan:
    """The difference between what the provider lists and what is stored.

    A model that a complete, non-empty listing does not have is marked missing, and stays active; it is retired once it was absent often
    and long enough, and revived when it is listed again. A value that is not stated any more does not erase the one that is known.
    """
    if listing.hashes == stored.hashes and not stored.gone:  # by far the most frequent case, in one comparison
        return Plan(unchanged=len(listing.hashes))
    changes: list[Change] = []
    unchanged = 0
    known, seen, away = stored.hashes, listing.seen, stored.gone
    for row_id, digest in listing.hashes.items():
        before = known.get(row_id)
        if before == digest and row_id not in away:
            unchanged += 1
        elif before is None:
            changes.append(Change(Kind.ADDED, row_id, listing.models[row_id], digest))
        else:
            changes.append(_changed(stored, row_id, listing.models[row_id], digest))
    gone = sorted(row_id for row_id in known if row_id not in seen and row_id not in stored.retired) if listing.complete and seen else []
    changes += [_as_it_was(stored, row_id, Kind.MISSING) for row_id in gone if row_id not in stored.missing]
    changes += [_retired(stored, row_id) for row_id in gone if row_id in stored.due]
    rejected = {row_id for row_id in away if row_id in seen and row_id not in listing.models}
    changes += [_revived(stored, row_id) for row_id in sorted(rejected)]
    return Plan(tuple(sorted(changes, key=lambda change: change.id)), unchanged, tuple(gone))


def retirements(stored: Stored) -> Plan:
    """What a listing that did not change brings about: the retirement of models that it does not have for long enough."""
    return Plan(tuple(_retired(stored, row_id) for row_id in sorted(stored.due)), gone=tuple(sorted(stored.missing)))


def _changed(stored: Stored, row_id: str, model: Model, digest: str) -> Change:
    before = stored.models[row_id]
    after = effective(model, before.model)
    away = row_id in stored.gone
    fields = (*_back_from_retirement(stored, row_id), *differences(before.model, after))
    repriced = any(field.field.startswith("pricing") for field in fields)
    return Change(
        Kind.REVIVED if away else Kind.UPDATED,
        row_id,
        after,
        digest,
        fields,
        updated_at=None if fields or away else before.updated_at,
        priced_at=None if repriced else before.priced_at,
    )


def _retired(stored: Stored, row_id: str) -> Change:
    change = _as_it_was(stored, row_id, Kind.RETIRED)
    inactive = msgspec.structs.replace(change.model, available=False)
    fields = (FieldChange("status", "missing", "retired"), *differences(change.model, inactive))
    return msgspec.structs.replace(change, model=inactive, fields=fields)


def _revived(stored: Stored, row_id: str) -> Change:
    """A model that is listed again in a row that cannot be read: present, and otherwise as it was known."""
    change = _as_it_was(stored, row_id, Kind.REVIVED)
    if row_id not in stored.retired:
        return change
    active = msgspec.structs.replace(change.model, available=True)
    fields = (*_back_from_retirement(stored, row_id), *differences(change.model, active))
    return msgspec.structs.replace(change, model=active, fields=fields)


def _back_from_retirement(stored: Stored, row_id: str) -> tuple[FieldChange, ...]:
    return (FieldChange("status", "retired", "active"),) if row_id in stored.retired else ()


def _as_it_was(stored: Stored, row_id: str, kind: Kind) -> Change:
    before = stored.models[row_id]
    return Change(kind, row_id, before.model, stored.hashes[row_id], priced_at=before.priced_at)


def effective(stated: Model, known: Model) -> Model:
    """What stands in the catalog: what the provider states, and where it is silent, what was known before."""
    silent = {
        name: getattr(known, name) for name in Model.__struct_fields__ if getattr(stated, name) is None and getattr(known, name) is not None
    }
    return msgspec.structs.replace(stated, **silent, prices=_effective_prices(stated.prices, known.prices))


def _effective_prices(stated: Prices, known: Prices) -> Prices:
    if stated.dynamic:
        return stated
    if not stated.stated:
        return msgspec.structs.replace(known, others=stated.others or known.others, problems=stated.problems)
    silent = {name: getattr(known, name) for name in PRICE_FIELDS if getattr(stated, name) is None and getattr(known, name) is not None}
    return msgspec.structs.replace(stated, **silent) if silent else stated


_COLUMNS = {"prompt": "pricing_prompt", "completion": "pricing_completion", "image": "pricing_image", "request": "pricing_request"}
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
            yield FieldChange(_COLUMNS.get(name, f"pricing.{name}"), old, new)
