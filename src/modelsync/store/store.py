"""The catalog database: tickets before a fetch, one transaction per provider after it."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import msgspec
import sqlalchemy as sa

from modelsync.errors import Conflict, DatabaseError, Failure
from modelsync.errors import Kind as FailureKind
from modelsync.model import Model, content_hash
from modelsync.plan import NOTHING_STORED, Plan, make_plan
from modelsync.policy import DEFAULT_RULES, Context, Rules, Scope, decide
from modelsync.provider import Provider
from modelsync.reading import Listing
from modelsync.report import (
    Busy,
    Counts,
    Disabled,
    Failed,
    NotModified,
    ProviderResult,
    Report,
    Superseded,
    Synced,
    counts_of,
    held_of,
    with_absence,
    words_of,
)
from modelsync.store import (
    answers,
    drifts,
    engine,
    holds,
    migrate,
    pins,
    planning,
    postgres,
    provider_rows,
    records,
    sqlite,
    tickets,
    writing,
)
from modelsync.store.answers import KeptAnswer
from modelsync.store.explaining import explaining
from modelsync.store.planning import Seeing
from modelsync.store.records import Seen
from modelsync.store.tickets import Ticket
from modelsync.store.wanted import Bulk, Commit, Expected, Mark

Result = TypeVar("Result")
Outcome = TypeVar("Outcome", bound=ProviderResult | None)

ATTEMPTS = 3


class Store:
    """An open catalog. Safe for use from several threads; all methods block."""

    def __init__(self, engine: sa.Engine, shown: str, providers: Mapping[str, Provider[Any]], *, read_only: bool) -> None:
        self.engine = engine
        self.shown = shown
        self.providers = providers
        self.read_only = read_only
        self.dialect = engine.dialect.name
        self.bulk: Bulk = postgres if self.dialect == "postgresql" else sqlite
        self._one_writer = threading.Lock() if self.dialect == "sqlite" else threading.BoundedSemaphore(4)

    @classmethod
    def open(cls, address: str, providers: Mapping[str, Provider[Any]], *, read_only: bool = False) -> Self:
        """Open the database at `address`; an empty one gets its tables. Read-only opening changes nothing, not even that.

        Raises DatabaseError when it cannot be opened, is newer than this program, or needs `modelsync db upgrade`.
        """
        url = engine.parse_url(address)
        store = cls(engine.create(url, read_only=read_only), engine.shown(url), providers, read_only=read_only)
        try:
            with explaining(store.shown):
                migrate.prepare(store.engine, read_only=read_only)
        except DatabaseError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give all connections back; SQLite then folds its write-ahead log into the file."""
        self.engine.dispose()

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[sa.Connection]:
        """A transaction that only reads, and sees one state of the catalog throughout.

        With `seconds` it is stopped after these (on Postgres each of its statements): TooSlow.
        """
        options: dict[str, Any] = {}
        if self.dialect == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True, engine.SECONDS: seconds}
        with explaining(self.shown), self.engine.connect().execution_options(**options) as connection, ExitStack() as ending:
            if seconds is not None and self.dialect == "sqlite":
                ending.enter_context(sqlite.taking_at_most(connection, seconds))
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes: everything in it, or nothing."""
        with (
            explaining(self.shown),
            self._one_writer,
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            if self.dialect == "postgresql":
                connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            yield connection

    def transact(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Do `work` in a writing transaction; when another one was in its way, do all of it again, three times at most."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.writing() as connection:
                    return work(connection)
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(random.uniform(0.02, 0.2) * attempt)  # noqa: S311 - no secret
        raise AssertionError

    def now(self, connection: sa.Connection) -> datetime:
        """The database's own clock, which orders everything."""
        return datetime.fromisoformat(self.bulk.now(connection))

    # Runs

    def begin_run(self, trigger: str) -> int:
        """Record that a run began; its id."""
        return self.transact(lambda connection: records.begin_run(connection, trigger, self.now(connection)))

    def beat(self, run_id: int) -> None:
        """Record that a run is alive: its tickets stay valid, and runs that say nothing any more are marked as interrupted.

        In SQLite it hardly waits: whoever keeps it from writing keeps everybody else from taking over, too, and it keeps nobody waiting.
        """
        if self.dialect == "postgresql":
            self.transact(lambda connection: records.beat(connection, run_id, self.now(connection)))
        elif self._one_writer.acquire(blocking=False):
            try:
                with (
                    explaining(self.shown),
                    self.engine.connect().execution_options(writes=True) as connection,
                    sqlite.waiting_at_most(connection, 1.0),
                    connection.begin(),
                ):
                    records.beat(connection, run_id, self.now(connection))
            finally:
                self._one_writer.release()

    def finish_run(self, report: Report, *, cancelled: bool = False) -> None:
        """Record how a run ended."""
        status = "cancelled" if cancelled else report.status
        self.transact(lambda connection: records.finish_run(connection, report, status, self.now(connection)))

    # One provider

    def take_ticket(self, slug: str, run_id: int, seconds: float) -> Ticket | Busy:
        """The ticket for one provider, valid for `seconds`; or Busy while another run holds a valid one."""
        return self.transact(lambda connection: tickets.take(connection, slug, run_id, self.now(connection), seconds))

    def kept_out(self, slug: str) -> str | None:
        """Why no sync may change a provider's part of the catalog: switched off, frozen, or all paused. None when it may."""
        with self.reading() as connection:
            return tickets.kept_out(connection, slug) if migrate.current(connection) else None

    def seen(self, slug: str, scope: str, version: int) -> Seen | None:
        """The last complete listing of a provider, if it was read in this scope by this version of its normalizer."""
        with self.reading() as connection:
            return records.seen(connection, slug, scope, version) if migrate.current(connection) else None

    def plan(self, wanted: Commit) -> tuple[int | None, Seeing]:
        """The provider's id, if it has one, and what a sync would change. Writes nothing."""
        with self.reading() as connection:
            if not migrate.current(connection):
                known = Context(may_be_empty=wanted.provider.may_be_empty, scope=Scope(now=wanted.scope, place=wanted.place))
                nothing = msgspec.structs.replace(NOTHING_STORED, version=wanted.provider.version)
                plan = make_plan(wanted.listing, nothing)
                return None, Seeing(decide(plan, wanted.listing, nothing, known, wanted.rules).plan, wanted.listing)
            state = tickets.state_of(connection, wanted.provider.slug)
            seeing = planning.decided(connection, self.bulk, wanted, state, self.now(connection))
            return provider_rows.id_of(connection, wanted.provider.slug), seeing

    def plan_unchanged(self, slug: str, rules: Rules) -> tuple[int | None, Plan]:
        """The provider's id, and what a sync would change when the provider lists what it listed last. Writes nothing."""
        with self.reading() as connection:
            state = tickets.state_of(connection, slug)
            assert state is not None  # noqa: S101 - nothing is unchanged before the first sync
            plan = planning.unchanged(connection, self.bulk, self.providers[slug], rules, state, self.now(connection))
            return provider_rows.id_of(connection, slug), plan

    def mark(self, slug: str) -> Mark:
        """Where a provider's part of the catalog stands: to be read before its answer is asked for."""
        with self.reading() as connection:
            state = tickets.state_of(connection, slug) if migrate.current(connection) else None
            return Mark(state["revision"], state["committed_seq"]) if state else Mark()

    def drifts(self, wanted: Commit) -> tuple[str, ...]:
        """How the fields of a listing moved since the last complete one. Writes nothing."""
        with self.reading() as connection:
            state = tickets.state_of(connection, wanted.provider.slug) if migrate.current(connection) else None
        return drifts.found(state, wanted.wire) if wanted.wire else ()

    def commit(self, ticket: Ticket, wanted: Commit, seconds: float) -> ProviderResult:
        """Bring the catalog in step with a listing: models, history, holds, freshness and result together, or nothing at all."""
        return self._once(ticket, lambda connection: self._committed(connection, ticket, wanted, seconds))

    def confirm(
        self, ticket: Ticket, seen: Seen, result: ProviderResult, rules: Rules = DEFAULT_RULES, only_if: Expected | None = None
    ) -> ProviderResult | None:
        """Record that the last complete listing still holds: everything in it was sighted, and what it lacks is absent once more.

        With `only_if` only if that still comes to the same plan. None, and nothing done, when the catalog does not go by `seen` any more:
        a person has decided something since it was read, and the listing has to be looked at whole.
        """
        return self._once(ticket, lambda connection: self._confirmed(connection, ticket, seen, result, rules, only_if))

    def _once(self, ticket: Ticket, work: Callable[[sa.Connection], Outcome]) -> Outcome:
        """Do a provider's transaction. When its end is not heard of, the database tells whether all of it happened, or nothing."""
        made: list[Outcome] = []

        def doing(connection: sa.Connection) -> Outcome:
            made.append(work(connection))
            return made[-1]

        try:
            return self.transact(doing)
        except DatabaseError:
            if made and self._is_recorded(ticket):
                return made[-1]
            raise

    def _is_recorded(self, ticket: Ticket) -> bool:
        """Whether a ticket's transaction is in. DatabaseError when nobody can tell."""
        for pause in (0.2, 1.0, 3.0, None):
            try:
                with self.writing() as connection:
                    tickets.lock(connection, ticket.slug)  # which waits for a commit that the server is still about
                    return records.is_recorded(connection, ticket.run_id, ticket.slug)
            except DatabaseError as error:
                if pause is None:
                    hint = f"`modelsync runs {ticket.run_id}` will tell, once the database answers; a sync then puts right what is missing"
                    raise DatabaseError(f"{error.message}; whether {ticket.slug} was written is not known", hint) from error
                time.sleep(pause)
        raise AssertionError

    def _committed(self, connection: sa.Connection, ticket: Ticket, wanted: Commit, seconds: float) -> ProviderResult:
        state = tickets.holds(connection, ticket)
        if state is None:
            return self._superseded(connection, ticket, seconds)
        now, seq = self.now(connection), state["complete_seq"] + 1
        will_expire = pins.expire(connection, ticket.slug, now)
        seeing = planning.decided(connection, self.bulk, wanted, state, now)
        plan, listing = seeing.plan, seeing.listing
        if wanted.only_if is not None and wanted.only_if != Expected(Mark(state["revision"], state["committed_seq"]), plan.digest):
            return self._stale(connection, ticket, seconds, now)
        holds.note(connection, ticket.slug, seeing.standing, plan, holds.sight(listing, plan, seeing.retired), now)
        answers.note(connection, ticket.run_id, wanted.kept)
        moved = drifts.found(state, wanted.wire) if wanted.wire else ()
        result = _result(ticket.slug, listing, plan, seconds, moved)
        if wanted.wire:
            believed = plan.refused is None and not any(hold.kind in ("shrink", "unit-change") for hold in plan.holds)
            drifts.note(connection, state, wanted.wire, moved, now, whole=believed)
        if plan.refused is not None:
            records.gave_up(connection, ticket.run_id, result, ticket, now)
            return msgspec.structs.replace(result, provider_id=provider_rows.id_of(connection, ticket.slug))
        provider_id = provider_rows.ensure(connection, wanted.provider, now)
        writing.write(connection, self.bulk, ticket.run_id, provider_id, plan, seq, now)
        result = msgspec.structs.replace(result, provider_id=provider_id)
        # A listing whose absences are held counts none of them; while anything waits, the next one is looked at anew.
        whole = listing.complete and seeing.counts
        calm = whole and not plan.waits and not will_expire
        records.succeeded(connection, ticket, wanted.seen if calm else None, result, now, complete=whole, wrote=plan.writes)
        records.note_shortfall(connection, state, wanted.listing.shortfall)
        records.note_reader(connection, state, seeing.read_version)
        if listing.complete or wanted.scope == state["absence_scope"]:
            records.note_listing(connection, ticket.slug, wanted.scope, wanted.place, seeing.outside)
        return result

    def _confirmed(
        self, connection: sa.Connection, ticket: Ticket, seen: Seen, result: ProviderResult, rules: Rules, only_if: Expected | None
    ) -> ProviderResult | None:
        state = tickets.holds(connection, ticket)
        if state is None:
            return self._superseded(connection, ticket, result.seconds)
        now, seq = self.now(connection), state["complete_seq"] + 1
        is_last = records.seen_in(state, seen.scope, seen.version) == seen
        if only_if is None and not is_last:
            return None
        plan = planning.unchanged(connection, self.bulk, self.providers[ticket.slug], rules, state, now)
        if not is_last or (only_if is not None and only_if != Expected(Mark(state["revision"], state["committed_seq"]), plan.digest)):
            return self._stale(connection, ticket, result.seconds, now)
        holds.release_whole(connection, ticket.slug, now)
        provider_id = provider_rows.id_of(connection, ticket.slug)
        if provider_id is not None:
            writing.write(connection, self.bulk, ticket.run_id, provider_id, plan, seq, now)
            if plan.writes:
                holds.end_retired(connection, ticket.slug, provider_id, now)
        counts = with_absence(result.counts, plan)
        confirmed = msgspec.structs.replace(result, provider_id=provider_id, outcome=NotModified(counts))
        records.succeeded(connection, ticket, seen, confirmed, now, complete=True, wrote=plan.writes)
        return confirmed

    def _stale(self, connection: sa.Connection, ticket: Ticket, seconds: float, now: datetime) -> ProviderResult:
        """The result for a plan that is no longer what somebody has seen."""
        hint = "Nothing of it was changed; make a new plan: modelsync sync --dry-run --save FILE"
        failed = Failed(Failure(FailureKind.CONFIG, "the catalog has moved on since the plan was made", hint))
        result = ProviderResult(slug=ticket.slug, outcome=failed, seconds=seconds)
        records.gave_up(connection, ticket.run_id, result, ticket, now)
        return result

    def _superseded(self, connection: sa.Connection, ticket: Ticket, seconds: float) -> ProviderResult:
        why = tickets.kept_out(connection, ticket.slug)
        result = ProviderResult(slug=ticket.slug, outcome=Disabled(why) if why else Superseded(), seconds=seconds)
        records.gave_up(connection, ticket.run_id, result, ticket, self.now(connection))
        return result

    def give_up(self, run_id: int, result: ProviderResult, ticket: Ticket | None, kept: Sequence[KeptAnswer] = ()) -> ProviderResult:
        """Record a result that changed nothing, with the answers that were kept of it, and give the ticket back.

        The same result with the provider's id, if the catalog has the provider.
        """

        def work(connection: sa.Connection) -> ProviderResult:
            answers.note(connection, run_id, kept)
            records.gave_up(connection, run_id, result, ticket, self.now(connection))
            return msgspec.structs.replace(result, provider_id=provider_rows.id_of(connection, result.slug))

        return self.transact(work)

    def ensure_provider_exists(self, slug: str) -> int:
        """The id of a known provider's row, made from its facts when it is not there yet. KeyError for an unknown slug."""
        provider = self.providers[slug]

        def work(connection: sa.Connection) -> int:
            tickets.ensure_state(connection, slug)
            return provider_rows.ensure(connection, provider, self.now(connection))

        return self.transact(work)

    def bulk_upsert_models(self, slug: str, models: Iterable[Model], *, trigger: str = "api") -> Counts:
        """Create or update models of one provider, as a run of its own; models not given are left alone.

        Raises DatabaseError while that provider is being synced.
        """
        out = self.kept_out(slug)
        if out is not None:
            raise DatabaseError(f"{slug} is {out}", "Nothing was written")
        found = {model.id: model for model in models}
        listing = Listing(models=found, hashes={row_id: content_hash(model) for row_id, model in found.items()}, complete=False)
        run_id = self.begin_run(trigger)
        ticket = self.take_ticket(slug, run_id, seconds=60.0)
        if isinstance(ticket, Busy):
            self._end_run(run_id, ProviderResult(slug=slug, outcome=ticket, seconds=0.0))
            raise DatabaseError(f"{slug} is being synced by run {ticket.run_id}", "Nothing was written; try again when it is done")
        try:
            result = self.commit(ticket, Commit(self.providers[slug], listing, None), 0.0)
        except DatabaseError as error:
            failed = ProviderResult(slug=slug, outcome=Failed(Failure(FailureKind.INTERNAL, error.message, error.hint)), seconds=0.0)
            self.give_up(run_id, failed, ticket)
            self._end_run(run_id, failed)
            raise
        self._end_run(run_id, result)
        return result.counts

    def _end_run(self, run_id: int, result: ProviderResult) -> None:
        now = datetime.now(UTC)
        self.finish_run(Report(run_id=run_id, dry_run=False, started_at=now, finished_at=now, seconds=0.0, results=(result,)))


def _result(slug: str, listing: Listing, plan: Plan, seconds: float, moved: tuple[str, ...] = ()) -> ProviderResult:
    """What comes of a plan when the database takes it."""
    outcome = held_of(plan) or Synced(counts_of(listing, plan, applied=True), len(plan.changes), plan.holds)
    return ProviderResult(slug=slug, outcome=outcome, seconds=seconds, warnings=(*moved, *listing.warnings, *words_of(plan)))
