"""What a decision has to know of the catalog: hashes, rows, upstream values, what was decided, prices elsewhere."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from modelsync.database import rows
from modelsync.database.bulk import BulkWriter
from modelsync.database.parts import in_parts
from modelsync.database.schema import IS_PRICED, last_prices, models, upstream_values
from modelsync.database.tables import holds, pins, providers
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.model.points import joined
from modelsync.planning import cases, holding, pairs
from modelsync.planning.cases import Evidence
from modelsync.planning.decision import Basis
from modelsync.planning.guard import Guard
from modelsync.planning.holding import Standing
from modelsync.planning.layers import Unstated
from modelsync.planning.listing import Listing
from modelsync.planning.plan import (
    BY_HAND,
    NOTHING_STORED,
    Plan,
    Stored,
    StoredModel,
    difference,
    make_plan,
    needed,
    retirements,
    settled,
)
from modelsync.planning.policy import ListingScope, Rules, with_accepted_total
from modelsync.providers.base import Provider
from modelsync.sync.request import Commit


def basis(connection: sa.Connection, bulk: BulkWriter, commit: Commit, state: sa.RowMapping | None, now: datetime) -> Basis:
    """Everything that the decision about a listing rests on, read in one state of the catalog. `state` is None before a first sync.

    The rows of models and the prices elsewhere are read only for what the listing moves: so the plan is made on the way.
    """
    provider, rules = commit.provider, guarded(commit.rules, state)
    provider_id = providers.id_of(connection, provider.slug)
    seq = state["complete_seq"] + 1 if state else 1
    only = _only(commit)
    known = stored(connection, bulk, provider, provider_id, rules, seq, now, _hashes(commit, state), only)
    read_version = state["read_version"] if state else None
    among = None if only is None else only | known.watched
    unseen = _unseen(connection, provider_id, provider.version, among) if read_version != provider.version else frozenset()
    known = msgspec.structs.replace(known, version=provider.version, read_version=read_version, unseen=unseen)
    context = holds.context(connection, provider.slug, now, stored=known.standing, may_be_empty=provider.may_be_empty)
    listing = with_accepted_total(commit.listing, context.standing)
    different = difference(listing, known)
    known = with_rows(connection, provider_id, known, needed(listing, known, different))
    plan = make_plan(listing, known, different)
    context = msgspec.structs.replace(
        context,
        kept=kept(known.pins),
        scope=_scope(commit, state),
        moment=Unstated(now, seq) if commit.whole and listing.complete else None,
        same_shortfall=state["shortfall_listings"] if state and listing.shortfall == state["shortfall"] else 0,
        prices=_evidence(connection, provider.slug, provider_id, plan, listing, known.retired, context.standing, now),
    )
    return Basis(listing=listing, plan=plan, different=different, stored=known, context=context, rules=rules)


def _hashes(commit: Commit, state: sa.RowMapping | None) -> Mapping[str, str] | None:
    """The hashes that stand, if they were read already: nothing of the provider's part of the catalog was written since."""
    known = commit.known
    return known.hashes if known and state and known.edition == state["edition"] else None


def _only(commit: Commit) -> Set[str] | None:
    """The ids that the plan is about, where it is not about all: an incomplete listing says nothing of those that it does not have. One
    that is only shorter than it says may have been accepted as whole, though, and what is remembered of rows stands for all of them.
    """
    about_all = commit.listing.complete or commit.listing.shortfall > 0 or commit.known is not None
    return None if about_all else commit.listing.seen


def _unseen(connection: sa.Connection, provider_id: int | None, version: int, among: Set[str] | None) -> frozenset[str]:
    """The active models with a price (`among` these, or all) that another version of the provider's module saw last."""
    column = models.c
    if connection.dialect.name == "postgresql":
        reader: sa.ColumnElement[Any] = sa.type_coerce(column.pricing, postgresql.JSONB)["reader"].as_integer()
    else:
        reader = sa.func.json_extract(sa.type_coerce(column.pricing, sa.Text), "$.reader")
    priced = (column.provider_id == provider_id, sa.text("status = 'active'"), column.pricing != {}, column.content_hash != BY_HAND)
    query = sa.select(column.provider_model_id).where(*priced, reader.is_distinct_from(version))
    if among is None:
        return frozenset(connection.execute(query).scalars())
    parts = (query.where(column.provider_model_id.in_(part)) for part in in_parts(sorted(among)))
    return frozenset(row_id for part in parts for row_id in connection.execute(part).scalars())


def unchanged(connection: sa.Connection, bulk: BulkWriter, provider: Provider, rules: Rules, state: sa.RowMapping, now: datetime) -> Plan:
    """What an answer that did not change brings about: models that it lacks are absent once more."""
    rules, seq = guarded(rules, state), state["complete_seq"] + 1
    provider_id = providers.id_of(connection, provider.slug)
    known = stored(connection, bulk, provider, provider_id, rules, seq, now)
    present = kept(known.pins) | holding.refused(holds.standing(connection, provider.slug)) | frozenset(state["outside_scope"] or ())
    known = msgspec.structs.replace(known, due=known.due - present, missing=known.missing - present)
    known = with_rows(connection, provider_id, known, sorted(known.due))
    return settled(retirements(known), known)


def _scope(commit: Commit, state: sa.RowMapping | None) -> ListingScope:
    if state is None:
        return ListingScope(now=commit.scope, place=commit.place)
    excused = frozenset(state["outside_scope"] or ())
    return ListingScope(
        now=commit.scope, last=state["absence_scope"], place=commit.place, last_place=state["absence_place"], excused=excused
    )


def guard_of(state: sa.RowMapping | None) -> Guard:
    """What an operator set for a provider."""
    return msgspec.convert((state["guard"] if state else None) or {}, Guard)


def guarded(rules: Rules, state: sa.RowMapping | None) -> Rules:
    """The rules for one provider: those of the settings, and over them what an operator set."""
    guard = guard_of(state)
    absence = {name: value for name in ("shrink_share", "shrink_models") if (value := getattr(guard, name)) is not None}
    prices = {"factor": guard.price_factor, "first_sight": guard.price_first_sight}
    limits = msgspec.structs.replace(rules.prices, **{name: value for name, value in prices.items() if value is not None})
    return msgspec.structs.replace(rules, prices=limits, **absence)


def stored(
    connection: sa.Connection,
    bulk: BulkWriter,
    provider: Provider,
    provider_id: int | None,
    rules: Rules,
    seq: int,
    now: datetime,
    hashes: Mapping[str, str] | None = None,
    only: Set[str] | None = None,
) -> Stored:
    """Every hash of a provider (read here, unless somebody has them), which models were absent from its last listings, and which have
    upstream values. With `only` the hashes of these and of those with upstream values.
    """
    if provider_id is None:
        return NOTHING_STORED
    column = models.c
    names = (column.provider_model_id, column.status, column.missing_since, column.missing_since_seq)
    of_provider = column.provider_id == provider_id
    inactive = connection.execute(sa.select(*names).where(of_provider, sa.text("status <> 'active'"))).mappings().all()
    missing = [row for row in inactive if row["status"] == "missing"]
    due = (row for row in missing if rules.is_due(row["missing_since"], row["missing_since_seq"], now, seq))
    query = sa.select(upstream_values.c.provider_model_id).where(upstream_values.c.provider_id == provider_id)
    watched = frozenset(connection.execute(query).scalars())
    if hashes is None:
        hashes = bulk.hashes(connection, provider_id) if only is None else bulk.hashes_of(connection, provider_id, only | watched)
    return Stored(
        hashes,
        missing=frozenset(row["provider_model_id"] for row in missing),
        due=frozenset(row["provider_model_id"] for row in due),
        retired=frozenset(row["provider_model_id"] for row in inactive if row["status"] == "retired"),
        watched=watched,
        pins=pins.standing(connection, provider.slug, now),
        others=0 if only is None else _count(connection, provider_id) - len(hashes),
    )


def _count(connection: sa.Connection, provider_id: int) -> int:
    return int(connection.execute(sa.select(sa.func.count()).where(models.c.provider_id == provider_id)).scalar_one())


def with_rows(connection: sa.Connection, provider_id: int | None, known: Stored, ids: Sequence[str]) -> Stored:
    """The same with the full rows of `ids`."""
    return msgspec.structs.replace(known, models=full_rows(connection, provider_id, ids)) if ids else known


def full_rows(connection: sa.Connection, provider_id: int | None, ids: Sequence[str]) -> dict[str, StoredModel]:
    """Models as they stand, with their upstream values and the prices that were believed last, by id."""
    models_by_id: dict[str, StoredModel] = {}
    for part in in_parts(ids):
        last = _last_prices(connection, provider_id, part)
        of_part = upstream_values.c.provider_id == provider_id, upstream_values.c.provider_model_id.in_(part)
        upstream_rows = connection.execute(sa.select(upstream_values).where(*of_part)).mappings()
        upstream = {row["provider_model_id"]: rows.upstream_of(row) for row in upstream_rows}
        query = sa.select(models).where(models.c.provider_id == provider_id, models.c.provider_model_id.in_(part))
        for row in connection.execute(query).mappings():
            row_id = row["provider_model_id"]
            models_by_id[row_id] = rows.stored_model(row, upstream.get(row_id), last.get(row_id))
    return models_by_id


def _last_prices(connection: sa.Connection, provider_id: int | None, ids: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    column = last_prices.c
    query = sa.select(last_prices).where(column.provider_id == provider_id, column.provider_model_id.in_(ids))
    query = query.order_by(column.field, column.condition)
    prices: dict[str, dict[str, Decimal]] = {}
    for row in connection.execute(query).mappings():
        prices.setdefault(row["provider_model_id"], {})[joined(row["field"], row["condition"])] = row["usd"]
    return prices


def kept(pins: Mapping[str, tuple[Pin, ...]]) -> frozenset[str]:
    """Models that an operator keeps active, listed or not."""
    return frozenset(row_id for row_id, of_model in pins.items() if any(pin.field == "is_active" and pin.value for pin in of_model))


def _evidence(
    connection: sa.Connection,
    slug: str,
    provider_id: int | None,
    plan: Plan,
    listing: Listing,
    retired: frozenset[str],
    standing: tuple[Standing, ...],
    now: datetime,
) -> Evidence:
    """What judging the plan's prices needs; nothing when no price moves."""
    moving = pairs.repriced(plan.changes)
    if not moving:
        return Evidence()
    return Evidence(
        now=now,
        read=listing.models,
        retired=retired,
        elsewhere=_elsewhere(connection, provider_id, [change.model for change in moving]),
        priced=_priced(connection, provider_id) if len(moving) > 1 else 0,
        standing=standing,
        confirmed=holds.confirmed_prices(connection, slug, frozenset(pairs.out_of_bounds(moving))),
    )


def _has_price() -> sa.ColumnElement[bool]:
    column = models.c
    return sa.or_(*(name.is_not(None) for name in (column.pricing_prompt, column.pricing_completion, column.pricing_image)))


def _priced(connection: sa.Connection, provider_id: int | None) -> int:
    """How many of a provider's models have a price."""
    query = sa.select(sa.func.count()).where(models.c.provider_id == provider_id, sa.text(IS_PRICED))
    return int(connection.execute(query).scalar_one())


def _elsewhere(connection: sa.Connection, provider_id: int | None, moving: Iterable[Model]) -> dict[str, list[Prices]]:
    """The prices of the same models at other providers, by id; without pins, since an operator's price is no other provider's word."""
    ids: dict[str, list[str]] = {}
    for model in moving:
        for name in cases.same_model(model):
            ids.setdefault(name, []).append(model.id)
    column = models.c
    names = (column.pricing_prompt, column.pricing_completion, column.pricing_image, column.pricing_request)
    ours = _believed_under_pins(connection)
    # Two ranges and not "another one": by these the rows of this provider are passed over in an index.
    mine = provider_id or 0
    others = (
        sa.or_(column.provider_id < mine, column.provider_id > mine),
        column.status != "retired",
        column.content_hash != BY_HAND,
        _has_price(),
    )
    facts = (column.provider_id, column.provider_model_id, column.hugging_face_id)
    query = sa.select(*facts, *names).where(*others).execution_options(yield_per=500)
    prices_by_id: dict[str, list[Prices]] = {}
    for provider, row_id, repository, *of_row in connection.execute(query):
        prompt, completion, image, request = ours.get((provider, row_id), of_row)
        keys = {cases.last_part(row_id)} | ({cases.last_part(repository)} if repository else set())
        same = {each for key in keys for each in ids.get(key, ())}
        for each in same:
            prices_by_id.setdefault(each, []).append(Prices(prompt=prompt, completion=completion, image=image, request=request))
    return prices_by_id


def _believed_under_pins(connection: sa.Connection) -> dict[tuple[int, str], tuple[Decimal | None, ...]]:
    """What is believed of the models of which an operator decided a price: prompt, completion, image, request."""
    pinned = pins.of_prices(connection)
    column = upstream_values.c
    believed: dict[tuple[int, str], tuple[Decimal | None, ...]] = {}
    for part in in_parts(sorted({row_id for _, row_id in pinned})):
        for row in connection.execute(sa.select(upstream_values).where(column.provider_model_id.in_(part))).mappings():
            prices = rows.upstream_of(row).believed.prices
            believed[row["provider_id"], row["provider_model_id"]] = (prices.prompt, prices.completion, prices.image, prices.request)
    return {key: believed[key] for key in pinned & believed.keys()}
