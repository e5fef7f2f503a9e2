"""What may be deleted, and deleting it: long retired models by a person's plan, old runs and results by age."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from modelsync.database.parts import in_parts
from modelsync.database.schema import (
    answers,
    holds,
    last_prices,
    model_changes,
    models,
    pins,
    provider_state,
    providers,
    sync_results,
    sync_runs,
    upstream_values,
)
from modelsync.database.session import Session
from modelsync.database.tables import events
from modelsync.database.tables.holds import MEMORY
from modelsync.database.tables.providers import move_revision
from modelsync.errors import DatabaseError, ModelsyncError

LEAST_AGE = MEMORY + timedelta(days=1)
"""Nothing younger is ever deleted: the guards look back at results and retirements."""


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to be rid of. Without `providers` it is about all of them."""

    retired_for: timedelta = timedelta(days=365)
    runs_older_than: timedelta = timedelta(days=90)
    providers: tuple[str, ...] = ()


class OldModel(msgspec.Struct, frozen=True):
    """A model that was retired long ago, and its history: how many changes, and the last of them."""

    row_id: int
    provider: str
    provider_model_id: str
    retired_at: datetime
    changes: int
    last_change: int


class KeptModel(msgspec.Struct, frozen=True):
    """A model that is old enough and stays all the same, and why."""

    provider: str
    provider_model_id: str
    why: str


class Records(msgspec.Struct, frozen=True):
    """Runs and results by id."""

    runs: tuple[int, ...] = ()
    results: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.runs or self.results)


class PurgePlan(msgspec.Struct, frozen=True):
    """Exactly what a purge deletes. Two plans with one id delete the same rows."""

    models: tuple[OldModel, ...] = ()
    records: Records = Records()
    answers: int = 0
    kept: tuple[KeptModel, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.models or self.records)

    @property
    def id(self) -> str:
        """A digest of what it deletes."""
        return hashlib.sha256(msgspec.json.encode((self.models, self.records, self.answers))).hexdigest()[:16]

    @property
    def changes(self) -> int:
        """How many rows of history go with the models."""
        return sum(model.changes for model in self.models)

    @property
    def counts(self) -> str:
        """How much of what, as one phrase."""
        numbers = {
            "model": len(self.models),
            "change": self.changes,
            "run": len(self.records.runs),
            "result": len(self.records.results),
            "kept answer": self.answers,
        }
        return ", ".join(f"{count:,} {name}{'s' * (count != 1)}" for name, count in numbers.items() if count) or "nothing"


class Housekeeping:
    """The deleting side of an open store. Nothing else deletes models, history, runs or results."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def plan(self, criteria: Purge) -> PurgePlan:
        """What a purge would delete now. Writes nothing."""
        with self._session.reading() as connection:
            return _plan(connection, criteria, self._session.now(connection))

    def purge(self, criteria: Purge, plan_id: str, actor: str, reason: str) -> PurgePlan:
        """Delete exactly what the plan with this id names, and write it down; all of it or nothing. ModelsyncError when it is stale."""

        def work(connection: sa.Connection) -> PurgePlan:
            _lock(connection, criteria.providers)
            now = self._session.now(connection)
            plan = _plan(connection, criteria, now)
            if not plan or plan.id != plan_id:
                raise ModelsyncError("The plan is no longer what it was", "Nothing was deleted; look again: modelsync purge")
            _delete_models(connection, plan.models)
            _delete_records(connection, plan.records)
            events.note(connection, "purge", _target(plan), actor, reason, now)
            return plan

        return self._session.transact(work)

    def prune(self, keep_days: int) -> Records:
        """Delete runs and results older than this, 0 keeps all. When nothing is due, it only reads."""
        age = max(timedelta(days=keep_days), LEAST_AGE)
        if keep_days == 0 or not self._due(age):
            return Records()

        def work(connection: sa.Connection) -> Records:
            _lock_records(connection)
            due = _old_records(connection, self._session.now(connection) - age, ())
            _delete_records(connection, due)
            return due

        return self._session.transact(work)

    def _due(self, age: timedelta) -> Records:
        with self._session.reading() as connection:
            return _old_records(connection, self._session.now(connection) - age, ())


def _plan(connection: sa.Connection, criteria: Purge, now: datetime) -> PurgePlan:
    retired = _retired(connection, now - max(criteria.retired_for, LEAST_AGE), criteria.providers)
    why = _reasons_to_keep(connection, now)
    kept = [KeptModel(model.provider, model.provider_model_id, reason) for model in retired if (reason := why(model))]
    records = _old_records(connection, now - max(criteria.runs_older_than, LEAST_AGE), criteria.providers)
    return PurgePlan(tuple(model for model in retired if not why(model)), records, _count_answers(connection, records.runs), tuple(kept))


def _retired(connection: sa.Connection, before: datetime, slugs: Sequence[str]) -> list[OldModel]:
    """Models that are retired, with a history that ends before a time."""
    column, change = models.c, model_changes.c
    last = sa.func.max(change.changed_at)
    mine = sa.and_(change.provider_id == column.provider_id, change.provider_model_id == column.provider_model_id)
    query = (
        sa.select(column.id, providers.c.slug, column.provider_model_id, last, sa.func.count(), sa.func.max(change.id))
        .join(providers, providers.c.id == column.provider_id)
        .join(model_changes, mine)
        .where(sa.text("models.status = 'retired'"), *([providers.c.slug.in_(slugs)] if slugs else []))
        .group_by(column.id, providers.c.slug, column.provider_model_id)
        .having(last < before)
    )
    old = (OldModel(*row) for row in connection.execute(query))
    return sorted(old, key=lambda model: (model.provider, model.provider_model_id))


def _reasons_to_keep(connection: sa.Connection, now: datetime) -> Callable[[OldModel], str | None]:
    """A function that says why a model stays, or None."""
    state, hold = provider_state.c, holds.c
    syncing = set(connection.execute(sa.select(state.provider).where(state.ticket_token.is_not(None), state.ticket_until > now)).scalars())
    pinned = {tuple(row) for row in connection.execute(sa.select(pins.c.provider, pins.c.provider_model_id).distinct())}
    opened = connection.execute(sa.select(hold.provider, hold.ids).where(hold.status == "open"))
    held = {(slug, row_id) for slug, ids in opened for row_id in ids}

    def why(model: OldModel) -> str | None:
        key = (model.provider, model.provider_model_id)
        reasons = {"pinned": key in pinned, "held": key in held, "its provider is being synced": model.provider in syncing}
        return next((reason for reason, applies in reasons.items() if applies), None)

    return why


def _old_records(connection: sa.Connection, before: datetime, slugs: Sequence[str]) -> Records:
    """Results and runs from before a time, but for those that history or the present still needs.

    A result stays when its provider changed a model in that run, or when it is the provider's latest; a run stays while it has a result or
    a change, and the latest run always.
    """
    results = _old_results(connection, before, slugs)
    going: dict[int, int] = {}
    for run_id in results.values():
        going[run_id] = going.get(run_id, 0) + 1
    run, change = sync_runs.c, model_changes.c
    leased = sa.select(provider_state.c.ticket_run_id).where(provider_state.c.ticket_run_id.is_not(None))
    unneeded = (
        run.started_at < before,
        run.status != "running",
        run.id != sa.select(sa.func.max(run.id)).correlate(None).scalar_subquery(),
        run.id.not_in(leased),
        ~sa.exists().where(change.run_id == run.id),
    )
    query = sa.select(run.id, sa.func.count(sync_results.c.id)).outerjoin(sync_results, sync_results.c.run_id == run.id)
    counts = connection.execute(query.where(*unneeded).group_by(run.id).order_by(run.id))
    runs = (run_id for run_id, count in counts if count == going.get(run_id, 0) and (count or not slugs))
    return Records(tuple(runs), tuple(sorted(results)))


def _old_results(connection: sa.Connection, before: datetime, slugs: Sequence[str]) -> dict[int, int]:
    """The results that may go, each with its run."""
    result, run, change = sync_results.c, sync_runs.c, model_changes.c
    latest = sa.select(sa.func.max(result.id)).group_by(result.provider).correlate(None)
    its_own = (providers.c.slug == result.provider, change.provider_id == providers.c.id, change.run_id == result.run_id)
    unneeded = (
        result.finished_at < before,
        run.status != "running",
        result.id.not_in(latest),
        ~sa.exists().where(*its_own),
        *([result.provider.in_(slugs)] if slugs else []),
    )
    query = sa.select(result.id, result.run_id).join(sync_runs, run.id == result.run_id).where(*unneeded)
    return {row.id: row.run_id for row in connection.execute(query)}


def _count_answers(connection: sa.Connection, runs: Sequence[int]) -> int:
    count = sa.select(sa.func.count()).select_from(answers)
    return sum(int(connection.execute(count.where(answers.c.run_id.in_(part))).scalar_one()) for part in in_parts(runs))


def _lock(connection: sa.Connection, slugs: Sequence[str]) -> None:
    """Keep syncs out until the purge is done, and pins too: SQLite's one writer is alone already."""
    _lock_records(connection)
    state = sa.select(provider_state.c.provider).order_by(provider_state.c.provider)
    connection.execute(state.where(provider_state.c.provider.in_(slugs)).with_for_update() if slugs else state.with_for_update()).all()
    rows = sa.select(models.c.id).where(sa.text("status = 'retired'")).order_by(models.c.id)
    connection.execute(rows.with_for_update()).all()


def _lock_records(connection: sa.Connection) -> None:
    """One deletes at a time: two that delete the same rows in another order would wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7290512)")


def _delete_models(connection: sa.Connection, going: Sequence[OldModel]) -> None:
    """Models with their history and what else is kept of them; their providers' catalogs are then other ones."""
    key = sa.tuple_(model_changes.c.provider_id, model_changes.c.provider_model_id)
    others = [(table, sa.tuple_(table.c.provider_id, table.c.provider_model_id)) for table in (upstream_values, last_prices)]
    for part in in_parts(going):
        mine = sa.select(models.c.provider_id, models.c.provider_model_id).where(models.c.id.in_([model.row_id for model in part]))
        deleted = connection.execute(sa.delete(model_changes).where(key.in_(mine))).rowcount
        _expect(deleted, sum(model.changes for model in part))
        for table, model in others:
            connection.execute(sa.delete(table).where(model.in_(mine)))
        _expect(connection.execute(sa.delete(models).where(models.c.id.in_([model.row_id for model in part]))).rowcount, len(part))
    for slug in sorted({model.provider for model in going}):
        move_revision(connection, slug)


def _delete_records(connection: sa.Connection, going: Records) -> None:
    for part in in_parts(going.results):
        _expect(connection.execute(sa.delete(sync_results).where(sync_results.c.id.in_(part))).rowcount, len(part))
    for part in in_parts(going.runs):
        connection.execute(sa.delete(answers).where(answers.c.run_id.in_(part)))
        _expect(connection.execute(sa.delete(sync_runs).where(sync_runs.c.id.in_(part))).rowcount, len(part))


def _expect(deleted: int, planned: int) -> None:
    if deleted != planned:
        raise DatabaseError(f"{planned} rows to delete, {deleted} deleted", "Nothing was changed; report this")


def _target(plan: PurgePlan) -> str:
    """What was deleted, for those who ask later: nothing else will tell."""
    names = ", ".join(f"{model.provider} {model.provider_model_id}" for model in plan.models)
    runs = f"{plan.records.runs[0]} to {plan.records.runs[-1]}" if plan.records.runs else ""
    return "; ".join(part for part in (f"plan {plan.id}: {plan.counts}", names and f"models: {names}", runs and f"runs {runs}") if part)
