"""The catalog as a sync has it: runs, the right to commit, what a listing would change, and the commit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from modelsync.database.session import Session
from modelsync.database.tables import answers, drift, known_rows, leases, providers, runs
from modelsync.database.tables.answers import KeptAnswer
from modelsync.database.tables.leases import LEASE, Lease
from modelsync.database.tables.runs import Seen
from modelsync.errors import DatabaseError, Failure, FailureKind
from modelsync.model.model import Model, content_hash
from modelsync.model.records import Counts
from modelsync.planning.decision import Verdict, decision
from modelsync.planning.known import KnownRows, known
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Busy, Failed, ProviderResult, Report
from modelsync.planning.plan import Plan
from modelsync.planning.policy import DEFAULT_RULES, Rules
from modelsync.planning.schedule import GivenSchedule
from modelsync.sync import context, schedules
from modelsync.sync.commit import committed, confirmed, once
from modelsync.sync.request import Commit, Expected, Mark

SCHEDULE = "schedule"
"""What sets off a run that nobody asked for."""


class Store(Session):
    """An open catalog. Safe for use from several threads; all methods block."""

    # Runs

    def begin_run(self, trigger: str) -> int:
        """Record that a run began; its id."""
        return self.transact(lambda connection: runs.begin_run(connection, trigger, self.now(connection)))

    def beat(self, run_id: int) -> None:
        """Record that a run is alive: its leases stay valid, and runs that say nothing any more are marked as interrupted.

        In SQLite it hardly waits: whoever keeps it from writing keeps everybody else from taking over, too.
        """
        self.transact_unless_busy(lambda connection: runs.beat(connection, run_id, self.now(connection)))

    def finish_run(self, report: Report, *, cancelled: bool = False) -> None:
        """Record how a run ended."""
        status = "cancelled" if cancelled else report.status
        self.transact(lambda connection: runs.finish_run(connection, report, status, self.now(connection)))

    # One provider

    def take_lease(self, slug: str, run_id: int, seconds: float) -> Lease | Busy:
        """The lease for one provider, valid for `seconds`; or Busy while another run holds a valid one."""
        return self.transact(lambda connection: leases.take(connection, slug, run_id, self.now(connection), seconds))

    def claim(self, slug: str, given: GivenSchedule) -> Lease | None:
        """A lease on a provider for a run of its own that begins with it; None when the provider is not due, or another sync is at it.

        Whether it is due is looked at with its state locked: of any number of processes that saw it due, one gets the lease, and the others
        find that it was synced.
        """

        def work(connection: sa.Connection) -> Lease | None:
            now, state = self.now(connection), leases.lock(connection, slug)
            if leases.running(state, now) is not None or leases.kept_out(connection, slug) is not None:
                return None
            if not schedules.due(connection, state, self.providers[slug], given, now).by(now):
                return None
            run_id = runs.begin_run(connection, SCHEDULE, now)
            lease = leases.take(connection, slug, run_id, now, LEASE, scheduled=True)
            assert isinstance(lease, Lease)  # noqa: S101 - nobody else has one, and the state is locked
            return lease

        return self.transact(work)

    def kept_out(self, slug: str) -> str | None:
        """Why no sync may change a provider's part of the catalog: switched off, frozen, or all paused. None when it may."""
        with self.reading() as connection:
            return leases.kept_out(connection, slug)

    def seen(self, slug: str, scope: str, version: int) -> Seen | None:
        """The last complete listing of a provider, if it was read in this scope by this version of its normalizer."""
        with self.reading() as connection:
            return runs.seen(connection, slug, scope, version)

    def known(self, slug: str, version: int) -> KnownRows:
        """The rows of a provider's last listing that need not be read again by this version of its module."""
        with self.reading() as connection:
            recalled = known_rows.recall(connection, slug, version)
            provider_id = providers.id_of(connection, slug)
            if recalled is None or provider_id is None:
                return KnownRows()
            memory, edition = recalled
            return known(memory, self.bulk.hashes(connection, provider_id), edition)

    def plan(self, commit: Commit) -> tuple[int | None, Verdict]:
        """The provider's id, if it has one, and what a sync would change. Writes nothing."""
        with self.reading() as connection:
            state = leases.state_of(connection, commit.provider.slug)
            basis = context.basis(connection, self.bulk, commit, state, self.now(connection))
            return providers.id_of(connection, commit.provider.slug), decision(basis)

    def plan_unchanged(self, slug: str, rules: Rules) -> tuple[int | None, Plan]:
        """The provider's id, and what a sync would change when the provider lists what it listed last. Writes nothing."""
        with self.reading() as connection:
            state = leases.state_of(connection, slug)
            assert state is not None  # noqa: S101 - nothing is unchanged before the first sync
            plan = context.unchanged(connection, self.bulk, self.providers[slug], rules, state, self.now(connection))
            return providers.id_of(connection, slug), plan

    def mark(self, slug: str) -> Mark:
        """Where a provider's part of the catalog stands: to be read before its answer is asked for."""
        with self.reading() as connection:
            state = leases.state_of(connection, slug)
            return Mark(state["revision"], state["committed_seq"]) if state else Mark()

    def drifts(self, commit: Commit) -> tuple[str, ...]:
        """How the fields of a listing moved since the last complete one. Writes nothing."""
        with self.reading() as connection:
            state = leases.state_of(connection, commit.provider.slug)
        return drift.messages(state, commit.wire) if commit.wire else ()

    def commit(self, lease: Lease, commit: Commit, seconds: float) -> ProviderResult:
        """Bring the catalog in step with a listing: models, history, holds, freshness and result together, or nothing at all."""
        return once(self, lease, lambda connection: committed(connection, self, lease, commit, seconds))

    def confirm(
        self, lease: Lease, seen: Seen, result: ProviderResult, rules: Rules = DEFAULT_RULES, only_if: Expected | None = None
    ) -> ProviderResult | None:
        """Record that the last complete listing still holds: everything in it was sighted, and what it lacks is absent once more.

        With `only_if` only if that still comes to the same plan. None, and nothing done, when the catalog does not go by `seen` any more:
        a person has decided something since it was read, and the listing has to be looked at whole.
        """
        return once(self, lease, lambda connection: confirmed(connection, self, lease, seen, result, rules, only_if))

    def give_up(self, run_id: int, result: ProviderResult, lease: Lease | None, kept: Sequence[KeptAnswer] = ()) -> ProviderResult:
        """Record a result that changed nothing, with the answers that were kept of it, and give the lease back.

        The same result with the provider's id, if the catalog has the provider.
        """

        def work(connection: sa.Connection) -> ProviderResult:
            answers.note(connection, run_id, kept)
            runs.gave_up(connection, run_id, result, lease, self.now(connection))
            return msgspec.structs.replace(result, provider_id=providers.id_of(connection, result.slug))

        return self.transact(work)

    def ensure_provider_exists(self, slug: str) -> int:
        """The id of a known provider's row, made from its facts when it is not there yet. KeyError for an unknown slug."""
        provider = self.providers[slug]

        def work(connection: sa.Connection) -> int:
            leases.ensure_state(connection, slug)
            return providers.ensure(connection, provider, self.now(connection))

        return self.transact(work)

    def bulk_upsert_models(self, slug: str, models: Iterable[Model], *, trigger: str = "api", rules: Rules = DEFAULT_RULES) -> Counts:
        """Create or update models of one provider, as a run of its own, by the rules of a sync; models not given are left alone.

        Raises DatabaseError while that provider is being synced.
        """
        out = self.kept_out(slug)
        if out is not None:
            raise DatabaseError(f"{slug} is {out}", "Nothing was written")
        by_id = {model.id: model for model in models}
        listing = Listing(models=by_id, hashes={row_id: content_hash(model) for row_id, model in by_id.items()}, complete=False)
        run_id = self.begin_run(trigger)
        lease = self.take_lease(slug, run_id, seconds=60.0)
        if isinstance(lease, Busy):
            self._end_run(run_id, ProviderResult(slug=slug, outcome=lease, seconds=0.0))
            raise DatabaseError(f"{slug} is being synced by run {lease.run_id}", "Nothing was written; try again when it is done")
        try:
            result = self.commit(lease, Commit(self.providers[slug], listing, None, rules), 0.0)
        except DatabaseError as error:
            failed = ProviderResult(slug=slug, outcome=Failed(Failure(FailureKind.INTERNAL, error.message, error.hint)), seconds=0.0)
            self.give_up(run_id, failed, lease)
            self._end_run(run_id, failed)
            raise
        self._end_run(run_id, result)
        return result.counts

    def _end_run(self, run_id: int, result: ProviderResult) -> None:
        now = datetime.now(UTC)
        self.finish_run(Report(run_id=run_id, dry_run=False, started_at=now, finished_at=now, seconds=0.0, results=(result,)))
