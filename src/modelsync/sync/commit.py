"""The one transaction of a sync: models, history, holds, freshness and result together, or nothing at all.

Three steps: what the decision rests on is read (`context`), the decision is made (`planning`, pure), what was decided is written. They are
one transaction because a decision holds only for what it was made from: the provider's state is locked at its begin, so that no other sync
and no person's act comes between.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from modelsync.database.session import Session
from modelsync.database.tables import answers, drift, holds, known_rows, leases, models, pins, providers, runs
from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.errors import DatabaseError, Failure, FailureKind
from modelsync.planning.decision import Verdict, decision
from modelsync.planning.known import remembered
from modelsync.planning.outcome import (
    Disabled,
    Failed,
    NotModified,
    ProviderResult,
    Superseded,
    Synced,
    counts_of,
    held_of,
    with_absence,
    words_of,
)
from modelsync.planning.plan import Plan
from modelsync.planning.policy import Rules
from modelsync.sync import context
from modelsync.sync.request import Commit, Expected, Mark

Outcome = TypeVar("Outcome", bound=ProviderResult | None)


def committed(connection: sa.Connection, session: Session, lease: Lease, commit: Commit, seconds: float) -> ProviderResult:
    """The result of a listing that took `seconds` to get, and that is written in the transaction of `connection`.

    No model is written when the lease is not valid any more, or when the plan is not the one of `commit.only_if`.
    """
    state = leases.holds(connection, lease)
    if state is None:
        return _superseded(connection, session, lease, seconds)
    now = session.now(connection)
    will_expire = pins.expire(connection, lease.slug, now)
    verdict = decision(context.basis(connection, session.bulk, commit, state, now))
    if _is_another(commit.only_if, state, verdict.plan):
        return _stale(connection, lease, seconds, now)
    return _written(connection, session, lease, commit, state, verdict, seconds, now, will_expire=will_expire)


def _written(
    connection: sa.Connection,
    session: Session,
    lease: Lease,
    commit: Commit,
    state: sa.RowMapping,
    verdict: Verdict,
    seconds: float,
    now: datetime,
    *,
    will_expire: bool,
) -> ProviderResult:
    """Write what was decided: holds, the answers' index, the wire's shape; and unless all of the listing is refused, models and state."""
    plan, listing = verdict.plan, verdict.listing
    holds.note(connection, lease.slug, verdict.standing, plan, holds.sight(listing, plan, verdict.retired), now)
    answers.note(connection, lease.run_id, commit.kept)
    moved = drift.messages(state, commit.wire) if commit.wire else ()
    if commit.wire:
        believed = plan.refused is None and not any(hold.kind in ("shrink", "unit-change") for hold in plan.holds)
        drift.note(connection, state, commit.wire, moved, now, whole=believed)
    outcome = held_of(plan) or Synced(counts_of(listing, plan, applied=True), len(plan.changes), plan.holds)
    warnings = (*moved, *listing.warnings, *words_of(plan))
    result = ProviderResult(slug=lease.slug, outcome=outcome, seconds=seconds, warnings=warnings)
    if plan.refused is not None:
        runs.gave_up(connection, lease.run_id, result, lease, now)
        return msgspec.structs.replace(result, provider_id=providers.id_of(connection, lease.slug))
    provider_id = providers.ensure(connection, commit.provider, now)
    models.write(connection, session.bulk, lease.run_id, provider_id, plan, state["complete_seq"] + 1, now)
    result = msgspec.structs.replace(result, provider_id=provider_id)
    # A listing whose absences are held counts none of them; while anything waits, the next one is looked at anew.
    whole = listing.complete and verdict.counts
    seen = commit.seen if whole and not plan.waits and not will_expire else None
    version = commit.provider.version if commit.scope else None
    runs.succeeded(connection, lease, seen, result, now, version=version, complete=whole, wrote=plan.writes)
    runs.note_shortfall(connection, state, commit.listing.shortfall)
    runs.note_reader(connection, state, verdict.read_version)
    if listing.complete or commit.scope == state["absence_scope"]:
        runs.note_listing(connection, lease.slug, commit.scope, commit.place, verdict.outside)
    _remember(connection, commit, verdict)
    return result


def _remember(connection: sa.Connection, commit: Commit, verdict: Verdict) -> None:
    """Which rows the next sync need not read: written when the catalog was, or when nothing is remembered of how it stands."""
    provider = commit.provider
    if commit.known is None or known_rows.is_current(connection, provider.slug, provider.version):
        return
    hashes, written = verdict.listing.hashes, {change.id: change.content_hash for change in verdict.plan.written}
    waiting = [row_id for row_id in verdict.otherwise if written.get(row_id) != hashes[row_id]]
    stored = (*verdict.stored, *(row_id for row_id in written if row_id not in verdict.stored))
    memory = remembered(verdict.listing.clean, stored, waiting)
    known_rows.remember(connection, provider.slug, provider.version, memory)


def confirmed(
    connection: sa.Connection, session: Session, lease: Lease, seen: Seen, result: ProviderResult, rules: Rules, only_if: Expected | None
) -> ProviderResult | None:
    """The result of an answer that did not change: everything in the last complete listing was sighted, what it lacks is absent once more.

    None, and nothing written, when `seen` is not what the catalog goes by any more: the whole listing has to be read.
    """
    state = leases.holds(connection, lease)
    if state is None:
        return _superseded(connection, session, lease, result.seconds)
    now, is_last = session.now(connection), runs.seen_in(state, seen.scope, seen.version) == seen
    if only_if is None and not is_last:
        return None
    plan = context.unchanged(connection, session.bulk, session.providers[lease.slug], rules, state, now)
    if not is_last or _is_another(only_if, state, plan):
        return _stale(connection, lease, result.seconds, now)
    holds.release_whole(connection, lease.slug, now)
    provider_id = providers.id_of(connection, lease.slug)
    if provider_id is not None:
        models.write(connection, session.bulk, lease.run_id, provider_id, plan, state["complete_seq"] + 1, now)
        if plan.writes:
            holds.end_retired(connection, lease.slug, provider_id, now)
    outcome = NotModified(with_absence(result.counts, plan))
    done = msgspec.structs.replace(result, provider_id=provider_id, outcome=outcome)
    runs.succeeded(connection, lease, seen, done, now, version=seen.version, complete=True, wrote=plan.writes)
    return done


def _is_another(expected: Expected | None, state: sa.RowMapping, plan: Plan) -> bool:
    """Whether somebody has seen another plan, or the catalog has moved on since."""
    return expected is not None and expected != Expected(Mark(state["revision"], state["committed_seq"]), plan.digest)


def _stale(connection: sa.Connection, lease: Lease, seconds: float, now: datetime) -> ProviderResult:
    """The result for a plan that is no longer what somebody has seen."""
    hint = "Nothing of it was changed; make a new plan: modelsync sync --dry-run --save FILE"
    failed = Failed(Failure(FailureKind.CONFIG, "the catalog has moved on since the plan was made", hint))
    result = ProviderResult(slug=lease.slug, outcome=failed, seconds=seconds)
    runs.gave_up(connection, lease.run_id, result, lease, now)
    return result


def _superseded(connection: sa.Connection, session: Session, lease: Lease, seconds: float) -> ProviderResult:
    """The result for a lease that is worthless: somebody took over, or a person keeps syncs out."""
    why = leases.kept_out(connection, lease.slug)
    result = ProviderResult(slug=lease.slug, outcome=Disabled(why) if why else Superseded(), seconds=seconds)
    runs.gave_up(connection, lease.run_id, result, lease, session.now(connection))
    return result


# Once


def once(session: Session, lease: Lease, work: Callable[[sa.Connection], Outcome]) -> Outcome:
    """Do a provider's transaction. When the connection breaks at its end, the database is asked whether it was committed.

    Raises DatabaseError when nothing was written, or when that is not known.
    """
    made: list[Outcome] = []

    def doing(connection: sa.Connection) -> Outcome:
        made.append(work(connection))
        return made[-1]

    try:
        return session.transact(doing)
    except DatabaseError:
        if made and _is_recorded(session, lease):
            return made[-1]
        raise


def _is_recorded(session: Session, lease: Lease) -> bool:
    """Whether a lease's transaction is in. DatabaseError when nobody can tell."""
    for pause in (0.2, 1.0, 3.0, None):
        try:
            with session.writing() as connection:
                leases.lock(connection, lease.slug)  # which waits for a commit that the server is still about
                return runs.is_recorded(connection, lease.run_id, lease.slug)
        except DatabaseError as error:
            if pause is None:
                hint = f"`modelsync runs {lease.run_id}` will tell, once the database answers; a sync then puts right what is missing"
                raise DatabaseError(f"{error.message}; whether {lease.slug} was written is not known", hint) from error
            time.sleep(pause)
    raise AssertionError
