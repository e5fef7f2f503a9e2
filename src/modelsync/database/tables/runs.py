"""What is remembered of syncs: runs, each provider's result, and what the next sync may take as unchanged."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import COUNT_COLUMNS, provider_state, sync_results, sync_runs
from modelsync.database.tables import leases, providers
from modelsync.database.tables.leases import Lease
from modelsync.errors import Failure
from modelsync.model.records import Counts
from modelsync.planning.outcome import Failed, Held, NoKey, Outcome, ProviderResult, Report
from modelsync.planning.schedule import LONGEST_REQUEST

MOST_WARNINGS = 100
"""Warnings kept of one provider's result; the rest are only counted."""

SILENCE = timedelta(seconds=20)
"""A run without a sign of life for longer than this is taken for dead; if it is alive after all, its next one revives it."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the last complete, committed listing of a provider was: how its bytes looked, how many rows it had, and what was skipped of it.

    Trusted only in the same `scope` (options, key, origin) and by the same `version` of the normalizer.
    """

    scope: str
    version: int
    digest: str
    validators: dict[str, str | None] | None
    listed: Counts
    skips: tuple[str, ...] = ()


def seen(connection: sa.Connection, slug: str, scope: str, version: int) -> Seen | None:
    """The last complete listing of a provider, if it was read in this scope by this version of its normalizer."""
    row = leases.state_of(connection, slug)
    return None if row is None else seen_in(row, scope, version)


def seen_in(row: sa.RowMapping, scope: str, version: int) -> Seen | None:
    """The same of a provider's state."""
    if row["digest"] is None or (row["scope"], row["normalizer_version"]) != (scope, version):
        return None
    listed = msgspec.convert(row["listed"], Counts)
    skips = tuple(row["listed"].get("skips", ()))
    return Seen(scope=scope, version=version, digest=row["digest"], validators=row["validators"], listed=listed, skips=skips)


def begin_run(connection: sa.Connection, trigger: str, now: datetime) -> int:
    """A new row for a run; its id. Runs that stopped without a word are interrupted."""
    end_the_dead(connection, now)
    values = {"status": "running", "trigger": trigger, "started_at": now, "heartbeat_at": now}
    return int(connection.execute(sa.insert(sync_runs).values(values).returning(sync_runs.c.id)).scalar_one())


def end_the_dead(connection: sa.Connection, now: datetime) -> None:
    """Mark the runs that gave no sign of life for a while."""
    connection.execute(sa.update(sync_runs).where(is_dead(now)).values(status="interrupted", finished_at=now))


def is_dead(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a run is said to be running, and is not."""
    state, run = provider_state.c, sync_runs.c
    alive = sa.select(state.ticket_run_id).where(state.ticket_until > now, state.ticket_run_id.is_not(None))
    gave_no_sign = sa.func.coalesce(run.heartbeat_at, run.started_at) < now - SILENCE
    return sa.and_(run.status == "running", gave_no_sign, run.id.not_in(alive))


def beat(connection: sa.Connection, run_id: int, now: datetime) -> None:
    """A run's sign of life; it also marks those that give none any more. What it locks it locks in the order of a sync."""
    leases.renew(connection, run_id, now)
    mine = (sync_runs.c.id == run_id, sync_runs.c.status.in_(("running", "interrupted")))
    connection.execute(sa.update(sync_runs).where(*mine).values(status="running", finished_at=None, heartbeat_at=now))
    end_the_dead(connection, now)


def finish_run(connection: sa.Connection, report: Report, status: str, now: datetime) -> None:
    """How a run ended."""
    values = {"status": status, "finished_at": now, "duration_seconds": report.seconds, "providers_processed": len(report.results)}
    mine = sync_runs.c.id == report.run_id
    connection.execute(sa.update(sync_runs).where(mine).values({**values, **_counts(report.counts)}))


def acted(connection: sa.Connection, trigger: str, slug: str, now: datetime, updated: int, run_id: int | None = None) -> int:
    """A run for what a person did, or more of one: it is over at once, and moves the revision of that provider's part of the catalog."""
    if run_id is not None:
        more = {"finished_at": now, "updated": sync_runs.c.updated + updated}
        connection.execute(sa.update(sync_runs).where(sync_runs.c.id == run_id).values(more))
        providers.move_revision(connection, slug)
        return run_id
    values = {"status": "succeeded", "trigger": trigger, "started_at": now, "finished_at": now, "duration_seconds": 0.0}
    insert = sa.insert(sync_runs).values(**values, providers_processed=1, updated=updated)
    providers.move_revision(connection, slug)
    return int(connection.execute(insert.returning(sync_runs.c.id)).scalar_one())


def succeeded(
    connection: sa.Connection,
    lease: Lease,
    listing: Seen | None,
    result: ProviderResult,
    now: datetime,
    *,
    version: int | None,
    complete: bool,
    wrote: bool,
) -> None:
    """A committed result: freshness, what may be taken as unchanged next time, and the lease given back. It was read by a `version` of the
    provider's module from its list, or with None given by somebody else, which serves no schedule.
    """
    values: dict[str, Any] = {"committed_seq": lease.seq, "last_success_at": now, "failures_in_a_row": 0}
    if version is not None:
        values |= leases.ANSWERED
    if wrote:
        values |= providers.next_revision()
    if complete:
        values |= {"complete_seq": provider_state.c.complete_seq + 1, "last_complete_at": now}
    values |= {
        "scope": listing.scope if listing else None,
        "normalizer_version": listing.version if listing else None,
        "digest": listing.digest if listing else None,
        "validators": listing.validators if listing else None,
        "listed": {**msgspec.to_builtins(listing.listed), "skips": list(listing.skips)} if listing else None,
    }
    leases.release(connection, lease, values)
    providers.set_health(connection, lease.slug, 0)
    _insert_result(connection, lease.run_id, result, now, version)


def forget_listing(connection: sa.Connection, slug: str) -> None:
    """Take no answer as unchanged until the next listing was looked at whole: a person has decided something."""
    mine = provider_state.c.provider == slug
    connection.execute(sa.update(provider_state).where(mine).values(digest=None, validators=None))


def note_reader(connection: sa.Connection, state: sa.RowMapping, version: int | None) -> None:
    """Which version of its module has seen every active model of a provider."""
    if version != state["read_version"]:
        mine = provider_state.c.provider == state["provider"]
        connection.execute(sa.update(provider_state).where(mine).values(read_version=version))


def note_listing(connection: sa.Connection, slug: str, scope: str, place: str | None, outside: frozenset[str]) -> None:
    """The scope of the last complete listing; and what has not been listed in it since an earlier one had another."""
    values = {"absence_scope": scope, "absence_place": place, "outside_scope": sorted(outside) or None}
    connection.execute(sa.update(provider_state).where(provider_state.c.provider == slug).values(values))


def excuse(connection: sa.Connection, state: sa.RowMapping, ids: frozenset[str]) -> None:
    """Models that do not count as absent though no listing has them: they may again be lacking only because of the scope."""
    excused = sorted(ids.union(state["outside_scope"] or ()))
    mine = provider_state.c.provider == state["provider"]
    connection.execute(sa.update(provider_state).where(mine).values(outside_scope=excused or None))


def note_shortfall(connection: sa.Connection, state: sa.RowMapping, shortfall: int) -> None:
    """How many rows the last listing lacked of those it says it has, and how many listings in a row lacked as many."""
    listings = state["shortfall_listings"] + 1 if shortfall and shortfall == state["shortfall"] else int(shortfall > 0)
    if (shortfall, listings) != (state["shortfall"], state["shortfall_listings"]):
        mine = provider_state.c.provider == state["provider"]
        connection.execute(sa.update(provider_state).where(mine).values(shortfall=shortfall, shortfall_listings=listings))


def gave_up(connection: sa.Connection, run_id: int, result: ProviderResult, lease: Lease | None, now: datetime) -> None:
    """A result that changed nothing; the lease, if there is one, given back. One that is recorded already stands."""
    leases.ensure_state(connection, result.slug)
    if is_recorded(connection, run_id, result.slug):
        return
    if isinstance(result.outcome, Failed):
        mine = provider_state.c.provider == result.slug
        more = sa.update(provider_state).where(mine).values(failures_in_a_row=provider_state.c.failures_in_a_row + 1)
        failures = connection.execute(more.returning(provider_state.c.failures_in_a_row)).scalar_one()
        providers.set_health(connection, result.slug, failures)
    if lease is not None:
        leases.release(connection, lease, _ending(lease, result.outcome, now))
    _insert_result(connection, run_id, result, now)


def _ending(lease: Lease, outcome: Outcome, now: datetime) -> Mapping[str, object]:
    """What is noted of the end of an attempt that changed nothing: nothing of one that was stopped, or had no right to go on.

    A failure of one that somebody asked for is no attempt of the schedule's: they may fail where that would not, as without a key.
    """
    served = leases.SERVED if lease.scheduled else {}
    match outcome:
        case Held():
            return leases.ANSWERED
        case NoKey():
            return served
        case Failed(Failure(retry_after=seconds)):
            tried = {**served, "retries": provider_state.c.retries + 1} if lease.scheduled else {}
            return tried if seconds is None else {**tried, "not_before": now + min(timedelta(seconds=seconds), LONGEST_REQUEST)}
        case _:
            return {}


def is_recorded(connection: sa.Connection, run_id: int, slug: str) -> bool:
    """Whether a run's result for a provider is in the database, and with it all that it did."""
    mine = (sync_results.c.run_id == run_id, sync_results.c.provider == slug)
    return bool(connection.execute(sa.select(sa.exists().where(*mine))).scalar_one())


def _insert_result(connection: sa.Connection, run_id: int, result: ProviderResult, now: datetime, version: int | None = None) -> None:
    """Record one provider's result in a run: seconds, counts of rows, why it failed, and its first MOST_WARNINGS warnings."""
    failure = result.outcome.failure if isinstance(result.outcome, Failed) else None
    values = {
        "run_id": run_id,
        "provider": result.slug,
        "outcome": type(result.outcome).__struct_config__.tag,
        "error_kind": failure.kind.value if failure else "config" if isinstance(result.outcome, NoKey) else None,
        "error": result.error,
        "warnings": list(result.warnings[:MOST_WARNINGS]),
        "duration_seconds": result.seconds,
        "finished_at": now,
        "version": version,
    }
    connection.execute(sa.insert(sync_results).values({**values, **_counts(result.counts)}))


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNT_COLUMNS}
