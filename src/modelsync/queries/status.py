"""The state of the catalog at one moment, composed once for every face that shows it."""

from collections import Counter
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import models, provider_state, providers
from modelsync.database.session import Session
from modelsync.database.tables import holds, pauses
from modelsync.database.tables.providers import shown_states
from modelsync.model.records import RecordedPause
from modelsync.planning.holding import RecordedHold
from modelsync.queries import counts, filters
from modelsync.queries.catalog import ProviderRecord, pin_records, provider_records
from modelsync.queries.counts import IncompletePrices, ModelCounts, ProviderCounts
from modelsync.queries.freshness import STATES, Freshness, freshness, state_of

SOON = timedelta(days=30)
"""Announced ends nearer than this are counted."""


NAMED = 10
"""Models with an announced end that are named."""


class Ending(msgspec.Struct, frozen=True):
    """A model with an announced end."""

    provider: str
    provider_model_id: str
    expires_at: datetime


class PinCounts(msgspec.Struct, frozen=True):
    """How many values are pinned, and beneath how many of them the provider moved."""

    total: int
    moved: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh the catalog is, what it holds, and what needs review.

    `ending` counts active models with an announced end within SOON, `first_ending` are the first NAMED of them; `freshness` is that of
    every provider, by slug; `in_catalog` are the providers with a row of their own; `held` and `rejected` are the holds that wait and those
    that a person rejected, oldest first.
    """

    now: datetime
    models: ModelCounts
    models_by_provider: dict[str, int]
    ending: int
    first_ending: list[Ending]
    providers: ProviderCounts
    freshness: tuple[Freshness, ...]
    in_catalog: frozenset[str]
    held: list[RecordedHold]
    rejected: list[RecordedHold]
    incomplete_prices: dict[str, IncompletePrices]
    pins: PinCounts
    pause: RecordedPause | None


def read_status(store: Session, seconds: float | None = None) -> Status:
    """Everything as it is, read in one state of the catalog. With `seconds` it is stopped after these: TooSlow."""
    with store.reading(seconds) as connection:
        now = store.now(connection)
        known = provider_records(connection, store.providers, now)
        held, rejected = holds.listed(connection), holds.listed(connection, status="rejected")
        of_provider = Counter(hold.provider for hold in held)
        pinned = pin_records(connection)
        return Status(
            now=now,
            models=counts.of_models(connection),
            models_by_provider=counts.by_provider(connection),
            ending=_ending(connection, now),
            first_ending=_first_ending(connection, now),
            providers=counts.of_providers(connection),
            freshness=tuple(freshness(each, now, of_provider[slug], rejected) for slug, each in known.items()),
            in_catalog=frozenset(slug for slug, each in known.items() if each.id is not None),
            held=held,
            rejected=rejected,
            incomplete_prices=counts.incomplete_prices(connection),
            pins=PinCounts(len(pinned), sum(pin.moved for pin in pinned)),
            pause=pauses.standing(connection),
        )


def _near(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(models.c.is_active.is_(sa.true()), filters.ends_within(now, now + SOON))


def _ending(connection: sa.Connection, now: datetime) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(models).where(_near(now))).scalar_one())


def _first_ending(connection: sa.Connection, now: datetime) -> list[Ending]:
    column = models.c
    query = sa.select(providers.c.slug, column.provider_model_id, column.expires_at).join(providers, providers.c.id == column.provider_id)
    return [Ending(*row) for row in connection.execute(query.where(_near(now)).order_by(column.expires_at, column.id).limit(NAMED))]


def states(store: Session) -> dict[str, int]:
    """How many providers are in which state of freshness."""
    state = provider_state.c
    with store.reading() as connection:
        now = store.now(connection)
        query = sa.select(state.provider.label("slug"), state.failures_in_a_row, state.last_success_at).where(shown_states(store.providers))
        records = {row["slug"]: ProviderRecord(**row) for row in connection.execute(query).mappings()}
        without = [slug for slug in connection.execute(sa.select(providers.c.slug)).scalars() if slug not in records]
    by_state = Counter([*(state_of(record, now) for record in records.values()), *["never"] * len(without)])
    return {name: by_state[name] for name in STATES}
