"""Reading the catalog: models, providers, runs, counts."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database import rows
from modelsync.database.schema import audit_log, models, provider_state, providers, sync_results, sync_runs, upstream_values
from modelsync.database.session import Session
from modelsync.database.tables import drift, holds, leases, pauses, pins
from modelsync.database.tables import providers as provider_rows
from modelsync.database.tables import runs as records
from modelsync.model.fields import value_of
from modelsync.model.prices import plain
from modelsync.queries import counts as counting
from modelsync.queries import filters
from modelsync.queries.filters import ModelFilter
from modelsync.sync import context


def _upstream(connection: sa.Connection, pin: dict[str, Any]) -> Any:
    """What stands beneath a pin, as a JSON value."""
    mine = (providers.c.slug == pin["provider"], upstream_values.c.provider_model_id == pin["provider_model_id"])
    query = sa.select(upstream_values).join(providers, providers.c.id == upstream_values.c.provider_id).where(*mine)
    row = connection.execute(query).mappings().one_or_none()
    return plain(value_of(rows.beneath(row).believed, pin["field"])) if row is not None else pin["beneath"]


_OF_STATE = ("last_attempt_at", "last_success_at", "last_complete_at", "failures_in_a_row", "frozen_at", "frozen_reason")


class Catalog:
    """Questions to an open store. Every answer is made of plain rows; an empty database answers with nothing."""

    def __init__(self, store: Session) -> None:
        self._store = store

    def models(self, wanted: ModelFilter) -> Iterator[sa.RowMapping]:
        """Matching models in the order of provider and id, streamed."""
        query = (
            sa.select(models, providers.c.slug.label("provider"))
            .join(providers, providers.c.id == models.c.provider_id)
            .where(*filters.conditions(wanted, self._store.dialect))
            .order_by(providers.c.slug, models.c.provider_model_id)
            .limit(wanted.limit)
        )
        with self._reading() as connection:
            yield from connection.execution_options(yield_per=500).execute(query).mappings()

    def count(self, wanted: ModelFilter) -> int:
        """How many models match, whatever the limit."""
        query = (
            sa.select(sa.func.count())
            .select_from(models.join(providers, providers.c.id == models.c.provider_id))
            .where(*filters.conditions(wanted, self._store.dialect))
        )
        with self._reading() as connection:
            return int(connection.execute(query).scalar_one())

    def providers(self) -> dict[str, dict[str, Any]]:
        """By slug: id, activity, number of models, and the times of the sync record."""
        counts = sa.select(models.c.provider_id, sa.func.count().label("models")).group_by(models.c.provider_id).subquery()
        known = (
            sa.select(providers.c.slug, providers.c.id, providers.c.is_active, sa.func.coalesce(counts.c.models, 0).label("models"))
            .select_from(providers.outerjoin(counts, counts.c.provider_id == providers.c.id))
            .order_by(providers.c.slug)
        )
        with self._reading() as connection:
            found: dict[str, dict[str, Any]] = {row["slug"]: dict(row) for row in connection.execute(known).mappings()}
            now, there = self._store.now(connection), provider_rows.there(self._store.providers)
            for state in connection.execute(sa.select(provider_state).where(there)).mappings():
                times = {name: state[name] for name in _OF_STATE}
                found.setdefault(state["provider"], {"slug": state["provider"], "id": None, "is_active": True, "models": 0}).update(
                    times | {"drift": drift.recent(state, now)}
                )
            for slug, error, outcome in self._last_results(connection):
                if slug in found:
                    found[slug] |= {"last_error": error, "last_outcome": outcome}
            return found

    def _last_results(self, connection: sa.Connection) -> list[tuple[str, str | None, str]]:
        last = sa.select(sa.func.max(sync_results.c.id)).group_by(sync_results.c.provider)
        query = sa.select(sync_results.c.provider, sync_results.c.error, sync_results.c.outcome).where(sync_results.c.id.in_(last))
        return [(row.provider, row.error, row.outcome) for row in connection.execute(query)]

    def model_counts(self) -> dict[str, Any]:
        """total, active, inactive, missing and `by_modality` of all models."""
        with self._reading() as connection:
            return counting.of_models(connection)

    def ending(self, within: timedelta) -> int:
        """How many active models have an announced end that is near."""
        column = models.c
        with self._reading() as connection:
            now = self._store.now(connection)
            near = (column.is_active.is_(sa.true()), column.expires_at >= now, column.expires_at <= now + within)
            return int(connection.execute(sa.select(sa.func.count()).select_from(models).where(*near)).scalar_one())

    def holds(self, slugs: Iterable[str] = (), kind: str | None = None, status: str = "open") -> list[dict[str, Any]]:
        """What waits for a person, oldest first; or the holds of another status, or of `all`."""
        with self._reading() as connection:
            return holds.listed(connection, slugs, kind, status)

    def guards(self) -> dict[str, dict[str, Any]]:
        """The limits of the guard that are set for single providers, by slug: each by its name, those that are not set left out."""
        query = sa.select(provider_state.c.provider, provider_state.c.guard).where(provider_state.c.guard.is_not(None))
        with self._reading() as connection:
            found = {row["provider"]: context.guard_of(row) for row in connection.execute(query).mappings()}
        return {
            slug: {name: value for name, value in msgspec.structs.asdict(guard).items() if value is not None}
            for slug, guard in found.items()
        }

    def pause(self) -> dict[str, Any] | None:
        """The pause that keeps every sync out: at, actor and reason."""
        with self._reading() as connection:
            row = pauses.standing(connection)
        return None if row is None else {name: row[name] for name in ("at", "actor", "reason")}

    def incomplete_prices(self) -> dict[str, dict[str, Any]]:
        """Models, retired ones aside, whose price is not whole, by provider: how many `models`, and how many lack which of `fields`."""
        with self._reading() as connection:
            return counting.incomplete_prices(connection)

    def pins(self, slugs: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Every pin, with `upstream`, what the provider says beneath it now, and whether that `moved` since it was set."""
        with self._reading() as connection:
            found = pins.listed(connection, slugs)
            for row in found:
                row["upstream"] = _upstream(connection, row)
                row["moved"] = row["upstream"] != row["beneath"]
            return found

    def audit(self, since: datetime | None, actor: str | None, limit: int | None) -> list[dict[str, Any]]:
        """What persons decided, newest first: at, actor, action, target, reason."""
        column = audit_log.c
        wanted = [*([column.at >= since] if since else []), *([column.actor == actor] if actor else [])]
        query = sa.select(audit_log).where(*wanted).order_by(column.id.desc()).limit(limit)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def runs(self, limit: int | None) -> list[dict[str, Any]]:
        """The latest runs, newest first."""
        with self._reading() as connection:
            query = self._runs(connection).order_by(sync_runs.c.id.desc()).limit(limit)
            return [dict(row) for row in connection.execute(query).mappings()]

    def run_page(self, limit: int, offset: int, status: str | None, slug: str | None) -> tuple[list[dict[str, Any]], int]:
        """Runs that end so, and that had to do with a provider, newest first; and how many there are."""
        with self._reading() as connection:
            runs = self._runs(connection).subquery()
            mine = sa.select(sync_results.c.run_id).where(sync_results.c.provider == slug)
            where = [*([runs.c.status == status] if status else []), *([runs.c.id.in_(mine)] if slug else [])]
            query = sa.select(runs).where(*where).order_by(runs.c.id.desc()).limit(limit).offset(offset)
            total = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*where)).scalar_one()
            return [dict(row) for row in connection.execute(query).mappings()], int(total)

    def _runs(self, connection: sa.Connection) -> sa.Select[Any]:
        """All runs; one that stopped without a word is `interrupted`, even before anybody wrote that down."""
        status = sa.case((records.is_dead(self._store.now(connection)), "interrupted"), else_=sync_runs.c.status).label("status")
        return sa.select(*(status if column.name == "status" else column for column in sync_runs.c))

    def running(self, slug: str) -> int | None:
        """The run that is at a provider now."""
        with self._reading() as connection:
            state = leases.state_of(connection, slug)
            return leases.running(state, self._store.now(connection)) if state else None

    def run(self, run_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """One run and each provider's result in it."""
        with self._reading() as connection:
            row = connection.execute(self._runs(connection).where(sync_runs.c.id == run_id)).mappings().one_or_none()
            query = sa.select(sync_results).where(sync_results.c.run_id == run_id).order_by(sync_results.c.provider)
            results = [dict(result) for result in connection.execute(query).mappings()]
        return None if row is None else (dict(row), results)

    def now(self) -> datetime:
        """The database's clock."""
        with self._reading() as connection:
            return self._store.now(connection)

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return self._store.reading()
