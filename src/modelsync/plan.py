"""What one sync would change: a value, made without touching anything. A dry run shows it, a sync applies it."""

from collections.abc import Collection, Iterable, Mapping
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
    missing: bool = False


class Stored(msgspec.Struct, frozen=True):
    """What the database holds for one provider: every id with its hash, the ids that are missing, and the full rows a plan needs."""

    hashes: Mapping[str, str]
    missing: frozenset[str] = frozenset()
    models: Mapping[str, StoredModel] = {}


class Plan(msgspec.Struct, frozen=True):
    """All changes of one provider, in the order of their ids, and how many models stay as they are.

    `absent` counts models of the catalog that a complete listing does not have, newly or still.
    """

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    absent: int = 0

    def count(self, *kinds: Kind) -> int:
        """How many changes are of one of `kinds`."""
        return sum(change.kind in kinds for change in self.changes)


NOTHING_STORED = Stored({})


def needed(listing: Listing, hashes: Mapping[str, str], missing: Collection[str]) -> list[str]:
    """Ids whose full stored rows `make_plan` will look at: those that differ, came back, or are newly absent."""
    if listing.hashes == hashes and not missing:
        return []
    seen, missing = listing.seen, set(missing)
    came = {row_id for row_id, digest in listing.hashes.items() if hashes.get(row_id, digest) != digest}
    came |= seen & missing
    gone = {row_id for row_id in hashes if row_id not in seen and row_id not in missing} if listing.complete else set()
    return sorted(came | gone)


def make_plan(listing: Listing, stored: Stored) -> Plan:
    """The difference between what the provider lists and what is stored.

    A model that a complete, non-empty listing does not have is marked missing, and stays active. A value that is not stated any more
    does not erase the one that is known.
    """
    if listing.hashes == stored.hashes and not stored.missing:  # by far the most frequent case, in one comparison
        return Plan(unchanged=len(listing.hashes))
    changes: list[Change] = []
    unchanged = 0
    known, seen = stored.hashes, listing.seen
    for row_id, digest in listing.hashes.items():
        before = known.get(row_id)
        if before == digest and row_id not in stored.missing:
            unchanged += 1
        elif before is None:
            changes.append(Change(Kind.ADDED, row_id, listing.models[row_id], digest))
        else:
            changes.append(_changed(stored.models[row_id], listing.models[row_id], digest))
    absent = sorted(row_id for row_id in known if row_id not in seen) if listing.complete and seen else []
    changes += [_as_it_was(stored, row_id, Kind.MISSING) for row_id in absent if row_id not in stored.missing]
    rejected = {row_id for row_id in stored.missing if row_id in seen and row_id not in listing.models}
    changes += [_as_it_was(stored, row_id, Kind.REVIVED) for row_id in sorted(rejected)]
    return Plan(tuple(sorted(changes, key=lambda change: change.id)), unchanged, len(absent))


def _changed(before: StoredModel, model: Model, digest: str) -> Change:
    after = effective(model, before.model)
    fields = tuple(differences(before.model, after))
    repriced = any(field.field.startswith("pricing") for field in fields)
    return Change(
        Kind.REVIVED if before.missing else Kind.UPDATED,
        model.id,
        after,
        digest,
        fields,
        updated_at=None if fields or before.missing else before.updated_at,
        priced_at=None if repriced else before.priced_at,
    )


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
        return msgspec.structs.replace(known, problems=stated.problems)
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
