"""The catalog database: tickets before a fetch, one transaction per provider after it."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from modelsync.drift import Snapshot
from modelsync.errors import DatabaseError, Failure
from modelsync.errors import Kind as FailureKind
from modelsync.model import Model, content_hash
from modelsync.plan import NOTHING_STORED, Kind, Plan, make_plan, retirements, settled
from modelsync.policy import DEFAULT_RULES, Context, Rules, decide
from modelsync.provider import Provider
from modelsync.reading import Listing
from modelsync.report import Busy, Counts, Failed, Held, NotModified, ProviderResult, Report, Superseded, Synced, counts_of
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
from modelsync.store.records import Seen
from modelsync.store.tickets import Ticket


class Commit(msgspec.Struct, frozen=True):
    """What one sync wants to make of the catalog. `scope` names what the listing depends on: options, key, origin.

    `kept` are the answers that it was read from, where they are kept.
    """

    provider: Provider[Any]
    listing: Listing
    seen: Seen | None
    rules: Rules = DEFAULT_RULES
    scope: str = ""
    whole: bool = False
    kept: tuple[KeptAnswer, ...] = ()

    @property
    def wire(self) -> Snapshot | None:
        """Which fields the rows had; of a complete listing only, because others say nothing about shares."""
        return Snapshot(self.scope, self.provider.version, self.listing.wire_fields) if self.listing.complete else None


class Store:
    """An open catalog. Safe for use from several threads; all methods block."""

    def __init__(self, engine: sa.Engine, shown: str, providers: Mapping[str, Provider[Any]], *, read_only: bool) -> None:
        self.engine = engine
        self.shown = shown
        self.providers = providers
        self.read_only = read_only
        self.dialect = engine.dialect.name
        self.bulk = postgres if self.dialect == "postgresql" else sqlite
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
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and sees one state of the catalog throughout."""
        with explaining(self.shown), self.engine.connect() as connection, connection.begin():
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

    def now(self, connection: sa.Connection) -> datetime:
        """The database's own clock, which orders everything."""
        return datetime.fromisoformat(self.bulk.now(connection))

    # Runs

    def begin_run(self, trigger: str) -> int:
        """Record that a run began; its id."""
        with self.writing() as connection:
            return records.begin_run(connection, trigger, self.now(connection))

    def finish_run(self, report: Report, *, cancelled: bool = False) -> None:
        """Record how a run ended."""
        with self.writing() as connection:
            records.finish_run(connection, report, "cancelled" if cancelled else report.status, self.now(connection))

    # One provider

    def take_ticket(self, slug: str, run_id: int, seconds: float) -> Ticket | Busy:
        """The ticket for one provider, valid for `seconds`; or Busy while another run holds a valid one."""
        with self.writing() as connection:
            return tickets.take(connection, slug, run_id, self.now(connection), seconds)

    def kept_out(self, slug: str) -> str | None:
        """Why no sync may change a provider's part of the catalog: an operator switched it off, or froze it. None when it may."""
        with self.reading() as connection:
            if not migrate.current(connection):
                return None
            if provider_rows.switched_off(connection, slug):
                return "switched off in the catalog (`providers.is_active`)"
            state = tickets.state_of(connection, slug)
            frozen = state["frozen_reason"] if state and state["frozen_at"] else None
            return f"frozen, {frozen}. `modelsync thaw {slug}` lets it sync again" if frozen else None

    def seen(self, slug: str, scope: str, version: int) -> Seen | None:
        """The last complete listing of a provider, if it was read in this scope by this version of its normalizer."""
        with self.reading() as connection:
            return records.seen(connection, slug, scope, version) if migrate.current(connection) else None

    def plan(self, wanted: Commit) -> tuple[int | None, Plan]:
        """The provider's id, if it has one, and what a sync would change. Writes nothing."""
        with self.reading() as connection:
            if not migrate.current(connection):
                known = Context(may_be_empty=wanted.provider.may_be_empty)
                plan = make_plan(wanted.listing, NOTHING_STORED)
                return None, decide(plan, wanted.listing, NOTHING_STORED, known, wanted.rules)
            state = tickets.state_of(connection, wanted.provider.slug)
            plan = planning.decided(connection, self.bulk, wanted, state, self.now(connection)).plan
            return provider_rows.id_of(connection, wanted.provider.slug), plan

    def drifts(self, wanted: Commit) -> tuple[str, ...]:
        """How the fields of a listing moved since the last complete one. Writes nothing."""
        with self.reading() as connection:
            state = tickets.state_of(connection, wanted.provider.slug) if migrate.current(connection) else None
        return drifts.found(state, wanted.wire) if wanted.wire else ()

    def commit(self, ticket: Ticket, wanted: Commit, seconds: float) -> ProviderResult:
        """Bring the catalog in step with a listing: models, history, holds, freshness and result together, or nothing at all."""
        with self.writing() as connection:
            state = tickets.holds(connection, ticket)
            if state is None:
                return ProviderResult(slug=ticket.slug, outcome=Superseded(), seconds=seconds)
            now, seq = self.now(connection), state["complete_seq"] + 1
            will_expire = pins.expire(connection, ticket.slug, now)
            decided = planning.decided(connection, self.bulk, wanted, state, now)
            plan = decided.plan
            holds.note(connection, ticket.slug, wanted.listing, plan, now)
            answers.note(connection, ticket.run_id, wanted.kept)
            moved = drifts.found(state, wanted.wire) if wanted.wire else ()
            result = _result(ticket.slug, wanted.listing, plan, seconds, moved)
            if wanted.wire:
                believed = plan.refused is None and not any(hold.kind in ("shrink", "unit-change") for hold in plan.holds)
                drifts.note(connection, state, wanted.wire, moved, now, whole=believed)
            if plan.refused is not None:
                records.gave_up(connection, ticket.run_id, result, ticket, now)
                return result
            provider_id = provider_rows.ensure(connection, wanted.provider, now)
            writing.write(connection, self.bulk, ticket.run_id, provider_id, plan, seq, now)
            result = msgspec.structs.replace(result, provider_id=provider_id)
            # A listing whose absences are held counts none of them; while anything waits, the next one is looked at anew.
            whole = wanted.listing.complete and not any(hold.kind == "shrink" for hold in plan.holds)
            calm = whole and not plan.waits and not will_expire
            records.succeeded(connection, ticket, wanted.seen if calm else None, result, now, complete=whole, wrote=plan.writes)
            if wanted.listing.complete:
                records.note_scope(connection, ticket.slug, wanted.scope, decided.outside)
            return result

    def confirm(self, ticket: Ticket, seen: Seen, result: ProviderResult, rules: Rules = DEFAULT_RULES) -> ProviderResult:
        """Record that the last complete listing still holds: everything in it was sighted, and what it lacks is absent once more."""
        with self.writing() as connection:
            state = tickets.holds(connection, ticket)
            if state is None:
                return ProviderResult(slug=ticket.slug, outcome=Superseded(), seconds=result.seconds)
            now, seq = self.now(connection), state["complete_seq"] + 1
            provider_id = provider_rows.id_of(connection, ticket.slug)
            stored = planning.stored(connection, self.bulk, self.providers[ticket.slug], provider_id, rules, seq, now)
            kept = planning.kept(stored.pins) | frozenset(state["outside_scope"] or ())
            stored = msgspec.structs.replace(stored, due=stored.due - kept, missing=stored.missing - planning.kept(stored.pins))
            stored = planning.with_rows(connection, provider_id, stored, sorted(stored.due))
            plan = settled(retirements(stored), stored)
            if provider_id is not None:
                writing.write(connection, self.bulk, ticket.run_id, provider_id, plan, seq, now)
            counts = msgspec.structs.replace(result.counts, missing=plan.absent, retired=plan.count(Kind.RETIRED))
            confirmed = msgspec.structs.replace(result, provider_id=provider_id, outcome=NotModified(counts))
            records.succeeded(connection, ticket, seen, confirmed, now, complete=True, wrote=plan.writes)
            return confirmed

    def give_up(self, run_id: int, result: ProviderResult, ticket: Ticket | None, kept: Sequence[KeptAnswer] = ()) -> None:
        """Record a result that changed nothing, with the answers that were kept of it, and give the ticket back."""
        with self.writing() as connection:
            answers.note(connection, run_id, kept)
            records.gave_up(connection, run_id, result, ticket, self.now(connection))

    def ensure_provider_exists(self, slug: str) -> int:
        """The id of a known provider's row, made from its facts when it is not there yet. KeyError for an unknown slug."""
        provider = self.providers[slug]
        with self.writing() as connection:
            return provider_rows.ensure(connection, provider, self.now(connection))

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
    outcome: Synced | Held
    if plan.refused is not None:
        outcome = Held(plan.refused.kind, plan.refused.message, plan.refused.hint)
    else:
        outcome = Synced(counts_of(listing, plan, applied=True), len(plan.changes), plan.holds)
    return ProviderResult(slug=slug, outcome=outcome, seconds=seconds, warnings=(*moved, *listing.warnings, *plan.notices))
