"""What is recorded beside models: the state of each provider, holds, pins, pauses, acts of persons, runs."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import audit_log, models, provider_state, providers, sync_results, sync_runs, upstream_values
from modelsync.database.schema import pins as pins_table
from modelsync.database.session import Session
from modelsync.database.tables import drift, holds, leases, pauses
from modelsync.database.tables import providers as provider_rows
from modelsync.database.tables.runs import is_dead
from modelsync.model.fields import value_of
from modelsync.model.model import Model
from modelsync.model.prices import plain
from modelsync.model.records import Drift, RecordedAct, RecordedPause, RecordedPin, RecordedResult, RecordedRun
from modelsync.planning.guard import NO_GUARD, Guard
from modelsync.planning.holding import RecordedHold
from modelsync.sync.context import guard_of


class ProviderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider: its row (`id` is None before its first sync), how its last syncs went, and what was set for it.

    `last_error` and `last_outcome` are those of its last result in any run.
    """

    slug: str
    id: int | None = None
    is_active: bool = True
    models: int = 0
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    last_complete_at: datetime | None = None
    failures_in_a_row: int = 0
    frozen_at: datetime | None = None
    frozen_reason: str | None = None
    drift: tuple[Drift, ...] = ()
    guard: Guard = NO_GUARD
    last_error: str | None = None
    last_outcome: str | None = None


class PinRecord(RecordedPin, frozen=True, kw_only=True):
    """A pin, `upstream`, what the provider says beneath it now, and whether that `moved` since it was set."""

    upstream: object
    moved: bool


class Catalog:
    """Questions to an open store. An empty database answers with nothing."""

    def __init__(self, store: Session) -> None:
        self._store = store

    def providers(self) -> dict[str, ProviderRecord]:
        """Every provider in the catalog, and whichever else this program knows and has tried to sync, by slug."""
        with self._reading() as connection:
            return provider_records(connection, self._store.providers, self._store.now(connection))

    def holds(self, slugs: Iterable[str] = (), kind: str | None = None, status: str = "open") -> list[RecordedHold]:
        """What waits for a person, oldest first; or the holds of another status, or of `all`."""
        with self._reading() as connection:
            return holds.listed(connection, slugs, kind, status)

    def guards(self) -> dict[str, Guard]:
        """The limits of the guard that are set for single providers, by slug."""
        query = sa.select(provider_state).where(provider_state.c.guard.is_not(None)).order_by(provider_state.c.provider)
        with self._reading() as connection:
            return {row["provider"]: guard_of(row) for row in connection.execute(query).mappings()}

    def pause(self) -> RecordedPause | None:
        """The pause that keeps every sync out."""
        with self._reading() as connection:
            return pauses.standing(connection)

    def pins(self, slugs: Iterable[str] = ()) -> list[PinRecord]:
        """Every pin, with what the provider says beneath it now."""
        with self._reading() as connection:
            return pin_records(connection, slugs)

    def audit(self, since: datetime | None, actor: str | None, limit: int | None) -> list[RecordedAct]:
        """What persons decided, newest first."""
        column = audit_log.c
        where = [*([column.at >= since] if since else []), *([column.actor == actor] if actor else [])]
        query = sa.select(audit_log).where(*where).order_by(column.id.desc()).limit(limit)
        with self._reading() as connection:
            return [RecordedAct(**row) for row in connection.execute(query).mappings()]

    def runs(self, limit: int | None, offset: int = 0, status: str | None = None, slug: str | None = None) -> tuple[list[RecordedRun], int]:
        """Runs of a status, and with a result of a provider, newest first, `limit` of them at most; and how many there are in all."""
        with self._reading() as connection:
            runs = self._runs(connection).subquery()
            mine = sa.select(sync_results.c.run_id).where(sync_results.c.provider == slug)
            where = [*([runs.c.status == status] if status else []), *([runs.c.id.in_(mine)] if slug else [])]
            query = sa.select(runs).where(*where).order_by(runs.c.id.desc()).limit(limit).offset(offset)
            total = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*where)).scalar_one()
            return [RecordedRun(**row) for row in connection.execute(query).mappings()], int(total)

    def _runs(self, connection: sa.Connection) -> sa.Select[*tuple[object, ...]]:
        """All runs. One whose process has died is `interrupted`, even before that is written down."""
        status = sa.case((is_dead(self._store.now(connection)), "interrupted"), else_=sync_runs.c.status).label("status")
        return sa.select(*(status if column.name == "status" else column for column in sync_runs.c))

    def running(self, slug: str) -> int | None:
        """The number of the run that syncs a provider now; None when there is none."""
        with self._reading() as connection:
            state = leases.state_of(connection, slug)
            return leases.running(state, self._store.now(connection)) if state else None

    def run(self, run_id: int) -> tuple[RecordedRun, list[RecordedResult]] | None:
        """One run and each provider's result in it."""
        with self._reading() as connection:
            row = connection.execute(self._runs(connection).where(sync_runs.c.id == run_id)).mappings().one_or_none()
            columns = (sync_results.c[name] for name in RecordedResult.__struct_fields__)
            query = sa.select(*columns).where(sync_results.c.run_id == run_id).order_by(sync_results.c.provider)
            results = [RecordedResult(**result) for result in connection.execute(query).mappings()]
        return None if row is None else (RecordedRun(**row), results)

    def now(self) -> datetime:
        """The database's clock."""
        with self._reading() as connection:
            return self._store.now(connection)

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return self._store.reading()


_OF_STATE = ("last_attempt_at", "last_success_at", "last_complete_at", "failures_in_a_row", "frozen_at", "frozen_reason")


def provider_records(connection: sa.Connection, known: Iterable[str], now: datetime) -> dict[str, ProviderRecord]:
    """Every provider in the catalog, and those of the `known` ones that somebody tried to sync, by slug."""
    counts = sa.select(models.c.provider_id, sa.func.count().label("models")).group_by(models.c.provider_id).subquery()
    rows_of_providers = (
        sa.select(providers.c.slug, providers.c.id, providers.c.is_active, sa.func.coalesce(counts.c.models, 0).label("models"))
        .select_from(providers.outerjoin(counts, counts.c.provider_id == providers.c.id))
        .order_by(providers.c.slug)
    )
    records = {row["slug"]: ProviderRecord(**row) for row in connection.execute(rows_of_providers).mappings()}
    for state in connection.execute(sa.select(provider_state).where(provider_rows.shown_states(known))).mappings():
        slug = state["provider"]
        facts = {name: state[name] for name in _OF_STATE} | {"drift": drift.recent(state, now), "guard": guard_of(state)}
        records[slug] = msgspec.structs.replace(records.get(slug) or ProviderRecord(slug=slug), **facts)
    last = sa.select(sa.func.max(sync_results.c.id)).group_by(sync_results.c.provider)
    query = sa.select(sync_results.c.provider, sync_results.c.error, sync_results.c.outcome).where(sync_results.c.id.in_(last))
    for slug, error, outcome in connection.execute(query):
        if slug in records:
            records[slug] = msgspec.structs.replace(records[slug], last_error=error, last_outcome=outcome)
    return records


def pin_records(connection: sa.Connection, slugs: Iterable[str] = ()) -> list[PinRecord]:
    """Every pin, by provider, model and field, with what stands beneath it as a JSON value. One query, however many there are."""
    upstream = upstream_values.c
    same_model = sa.and_(upstream.provider_id == providers.c.id, upstream.provider_model_id == pins_table.c.provider_model_id)
    query = (
        sa.select(pins_table, upstream.believed)
        .outerjoin(providers, providers.c.slug == pins_table.c.provider)
        .outerjoin(upstream_values, same_model)
        .where(*([pins_table.c.provider.in_(list(slugs))] if slugs else []))
        .order_by(pins_table.c.provider, pins_table.c.provider_model_id, pins_table.c.field)
    )
    return [_pin_record(dict(row)) for row in connection.execute(query).mappings()]


def _pin_record(row: dict[str, Any]) -> PinRecord:
    believed = row.pop("believed")
    upstream = row["beneath"] if believed is None else plain(value_of(msgspec.convert(believed, Model), row["field"]))
    return PinRecord(**row, upstream=upstream, moved=upstream != row["beneath"])
