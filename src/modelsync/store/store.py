"""The catalog database: tickets before a fetch, one transaction per provider after it."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from modelsync.errors import DatabaseError, Failure
from modelsync.model import Model, content_hash
from modelsync.plan import NOTHING_STORED, Change, Kind, Plan, Stored, StoredModel, make_plan, needed
from modelsync.provider import Provider
from modelsync.reading import Listing
from modelsync.report import Busy, Counts, Failed, Held, NoKey, NotModified, Outcome, ProviderResult, Report, Superseded, Synced, counts_of
from modelsync.store import engine, migrate, postgres, rows, sqlite
from modelsync.store.explaining import explaining
from modelsync.store.schema import COUNT_COLUMNS, models, provider_state, providers, sync_results, sync_runs


class Ticket(msgspec.Struct, frozen=True):
    """The right to commit one provider's sync: `seq` orders fetches, `token` proves that nobody took over."""

    slug: str
    run_id: int
    seq: int
    token: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the last complete, committed listing of a provider was: how its bytes looked, and how many rows it had.

    Trusted only in the same `scope` (options, key, origin) and by the same `version` of the normalizer.
    """

    scope: str
    version: int
    digest: str
    validators: dict[str, str | None] | None
    listed: Counts


class Commit(msgspec.Struct, frozen=True):
    """What one sync wants to make of the catalog."""

    provider: Provider[Any]
    listing: Listing
    seen: Seen | None


class Store:
    """An open catalog. Safe for use from several threads; all methods block."""

    def __init__(self, engine: sa.Engine, shown: str, providers: Mapping[str, Provider[Any]], *, read_only: bool) -> None:
        self.engine = engine
        self.shown = shown
        self.providers = providers
        self.read_only = read_only
        self.dialect = engine.dialect.name
        self._bulk = postgres if self.dialect == "postgresql" else sqlite
        self._one_writer = threading.Lock() if self.dialect == "sqlite" else threading.BoundedSemaphore(4)

    @classmethod
    def open(cls, address: str, providers: Mapping[str, Provider[Any]], *, read_only: bool = False) -> Self:
        """Open the database at `address`; an empty one gets its tables. Read-only opening changes nothing, not even that.

        Raises DatabaseError when it cannot be opened, is newer than this program, or needs `modelsync db upgrade`.
        """
        url = engine.parse_url(address)
        store = cls(engine.create(url, read_only=read_only), engine.shown(url), providers, read_only=read_only)
        with explaining(store.shown):
            migrate.prepare(store.engine, read_only=read_only)
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
        return datetime.fromisoformat(self._bulk.now(connection))

    # Runs

    def begin_run(self, trigger: str) -> int:
        """Record that a run began; its id."""
        with self.writing() as connection:
            values = {"status": "running", "trigger": trigger, "started_at": self.now(connection)}
            return int(connection.execute(sa.insert(sync_runs).values(values).returning(sync_runs.c.id)).scalar_one())

    def finish_run(self, report: Report) -> None:
        """Record how a run ended."""
        with self.writing() as connection:
            values = {
                "status": report.status,
                "finished_at": self.now(connection),
                "duration_seconds": report.seconds,
                "providers_processed": len(report.results),
                **_count_values(report.counts),
            }
            connection.execute(sa.update(sync_runs).where(sync_runs.c.id == report.run_id).values(values))

    def cancel_run(self, report: Report) -> None:
        """Record that a run was stopped before its end."""
        with self.writing() as connection:
            values = {"status": "cancelled", "finished_at": self.now(connection), "duration_seconds": report.seconds}
            connection.execute(
                sa.update(sync_runs).where(sync_runs.c.id == report.run_id).values({**values, **_count_values(report.counts)})
            )

    # Tickets

    def take_ticket(self, slug: str, run_id: int, seconds: float) -> Ticket | Busy:
        """The ticket for one provider, valid for `seconds`; or Busy while another run holds a valid one."""
        state = provider_state.c
        with self.writing() as connection:
            now = self.now(connection)
            self._ensure_state(connection, slug)
            row = connection.execute(sa.select(provider_state).where(state.provider == slug).with_for_update()).mappings().one()
            if row["ticket_token"] is not None and row["ticket_until"] > now:
                return Busy(row["ticket_run_id"])
            ticket = Ticket(slug, run_id, row["ticket_seq"] + 1, secrets.token_hex(8))
            values = {
                "ticket_seq": ticket.seq,
                "ticket_token": ticket.token,
                "ticket_run_id": run_id,
                "ticket_until": now + timedelta(seconds=seconds),
                "last_attempt_at": now,
            }
            connection.execute(sa.update(provider_state).where(state.provider == slug).values(values))
            return ticket

    def _ensure_state(self, connection: sa.Connection, slug: str) -> None:
        statement = "INSERT INTO provider_state (provider) VALUES (:slug) ON CONFLICT (provider) DO NOTHING"
        connection.execute(sa.text(statement), {"slug": slug})

    def _holds(self, connection: sa.Connection, ticket: Ticket) -> bool:
        """Whether a ticket still is the valid one: a process that was paused for too long may not commit."""
        state = provider_state.c
        row = connection.execute(sa.select(provider_state).where(state.provider == ticket.slug).with_for_update()).mappings().one()
        return bool(row["ticket_token"] == ticket.token and row["committed_seq"] < ticket.seq)

    # One provider

    def seen(self, slug: str, scope: str, version: int) -> Seen | None:
        """The last complete listing of a provider, if it was read in this scope by this version of its normalizer."""
        with self.reading() as connection:
            if not migrate.current(connection):
                return None
            row = connection.execute(sa.select(provider_state).where(provider_state.c.provider == slug)).mappings().one_or_none()
        if row is None or row["digest"] is None or (row["scope"], row["normalizer_version"]) != (scope, version):
            return None
        listed = msgspec.convert(row["listed"], Counts)
        return Seen(scope=scope, version=version, digest=row["digest"], validators=row["validators"], listed=listed)

    def plan(self, provider: Provider[Any], listing: Listing) -> tuple[int | None, Plan]:
        """The provider's id, if it has one, and what a sync would change. Writes nothing."""
        with self.reading() as connection:
            if not migrate.current(connection):
                return None, make_plan(listing, NOTHING_STORED)
            provider_id = _provider_id(connection, provider.slug)
            return provider_id, make_plan(listing, self._stored(connection, provider_id, listing))

    def commit(self, ticket: Ticket, wanted: Commit, seconds: float) -> ProviderResult:
        """Bring the catalog in step with a listing: models, history, freshness and result together, or nothing at all."""
        with self.writing() as connection:
            if not self._holds(connection, ticket):
                return ProviderResult(slug=ticket.slug, outcome=Superseded(), seconds=seconds)
            now = self.now(connection)
            provider_id = _ensure_provider(connection, wanted.provider, now)
            plan = make_plan(wanted.listing, self._stored(connection, provider_id, wanted.listing))
            self._write(connection, ticket, provider_id, plan, now)
            result = ProviderResult(
                slug=ticket.slug,
                provider_id=provider_id,
                outcome=Synced(counts_of(wanted.listing, plan, applied=True), len(plan.changes)),
                seconds=seconds,
                warnings=wanted.listing.warnings,
            )
            self._succeeded(connection, ticket, wanted.seen, result, now, complete=wanted.listing.complete)
            return result

    def confirm(self, ticket: Ticket, seen: Seen, result: ProviderResult) -> ProviderResult:
        """Record that the last complete listing still holds: everything in it was sighted, no model row is touched."""
        with self.writing() as connection:
            if not self._holds(connection, ticket):
                return ProviderResult(slug=ticket.slug, outcome=Superseded(), seconds=result.seconds)
            provider_id = _provider_id(connection, ticket.slug)
            gone = sa.select(sa.func.count()).where(models.c.provider_id == provider_id, models.c.status == "missing")
            counts = msgspec.structs.replace(result.counts, missing=connection.execute(gone).scalar_one())
            confirmed = msgspec.structs.replace(result, provider_id=provider_id, outcome=NotModified(counts))
            self._succeeded(connection, ticket, seen, confirmed, self.now(connection), complete=True)
            return confirmed

    def give_up(self, slug: str, run_id: int, result: ProviderResult, ticket: Ticket | None) -> None:
        """Record a result that changed nothing, and give the ticket back."""
        with self.writing() as connection:
            now = self.now(connection)
            self._ensure_state(connection, slug)
            if isinstance(result.outcome, Failed | Held):
                state = provider_state.c
                more = {"failures_in_a_row": state.failures_in_a_row + 1}
                connection.execute(sa.update(provider_state).where(state.provider == slug).values(more))
            if ticket is not None:
                self._release(connection, ticket, {})
            connection.execute(sa.insert(sync_results).values(_result_values(run_id, result, now)))

    def ensure_provider_exists(self, slug: str) -> int:
        """The id of a known provider's row, made from its facts when it is not there yet. KeyError for an unknown slug."""
        provider = self.providers[slug]
        with self.writing() as connection:
            return _ensure_provider(connection, provider, self.now(connection))

    def bulk_upsert_models(self, slug: str, models: Iterable[Model], *, trigger: str = "api") -> Counts:
        """Create or update models of one provider, as a run of its own; models not given are left alone.

        Raises DatabaseError while that provider is being synced.
        """
        found = {model.id: model for model in models}
        listing = Listing(models=found, hashes={row_id: content_hash(model) for row_id, model in found.items()}, complete=False)
        run_id = self.begin_run(trigger)
        ticket = self.take_ticket(slug, run_id, seconds=60.0)
        if isinstance(ticket, Busy):
            raise DatabaseError(f"{slug} is being synced by run {ticket.run_id}", "Nothing was written; try again when it is done")
        result = self.commit(ticket, Commit(self.providers[slug], listing, None), 0.0)
        now = datetime.now(UTC)
        self.finish_run(Report(run_id=run_id, dry_run=False, started_at=now, finished_at=now, seconds=0.0, results=(result,)))
        return result.counts

    def _stored(self, connection: sa.Connection, provider_id: int | None, listing: Listing) -> Stored:
        """What a plan for `listing` has to know: every hash, and the full rows of what differs."""
        if provider_id is None:
            return NOTHING_STORED
        column = models.c
        of_provider = column.provider_id == provider_id
        pairs = sa.select(column.provider_model_id, column.content_hash).where(of_provider)
        hashes: dict[str, str] = {row.provider_model_id: row.content_hash for row in connection.execute(pairs)}
        gone = sa.select(column.provider_model_id).where(of_provider, sa.text("status <> 'active'"))
        missing = frozenset(connection.execute(gone).scalars())
        wanted = needed(listing, hashes, missing)
        full: dict[str, StoredModel] = {}
        for part in _parts(wanted, 500):
            query = sa.select(models).where(of_provider, column.provider_model_id.in_(part))
            full |= {row["provider_model_id"]: rows.stored_model(row) for row in connection.execute(query).mappings()}
        return Stored(hashes, missing, full)

    def _write(self, connection: sa.Connection, ticket: Ticket, provider_id: int, plan: Plan, now: datetime) -> None:
        incoming = [rows.incoming(change, provider_id, ticket.seq, now) for change in plan.changes]
        written = self._bulk.upsert_models(connection, incoming)
        if written != len(incoming):
            raise DatabaseError(f"{ticket.slug}: {len(incoming)} rows to write, {written} written", "Nothing was changed; report this")
        history = [change for change in plan.changes if _is_history(change)]
        facts = [(ticket.run_id, provider_id, change.id, change.kind.value, rows.change_fields(change), now) for change in history]
        self._bulk.insert_changes(connection, facts)
        if plan.changes:
            _derive_abilities(connection, provider_id)

    def _succeeded(
        self, connection: sa.Connection, ticket: Ticket, seen: Seen | None, result: ProviderResult, now: datetime, *, complete: bool
    ) -> None:
        state: dict[str, Any] = {"committed_seq": ticket.seq, "last_success_at": now, "failures_in_a_row": 0}
        if complete:
            state |= {"complete_seq": provider_state.c.complete_seq + 1, "last_complete_at": now}
        state |= {
            "scope": seen.scope if seen else None,
            "normalizer_version": seen.version if seen else None,
            "digest": seen.digest if seen else None,
            "validators": seen.validators if seen else None,
            "listed": msgspec.to_builtins(seen.listed) if seen else None,
        }
        self._release(connection, ticket, state)
        connection.execute(sa.insert(sync_results).values(_result_values(ticket.run_id, result, now)))

    def _release(self, connection: sa.Connection, ticket: Ticket, values: dict[str, Any]) -> None:
        state = provider_state.c
        free = {"ticket_token": None, "ticket_until": None, "ticket_run_id": None}
        mine = (state.provider == ticket.slug, state.ticket_token == ticket.token)
        connection.execute(sa.update(provider_state).where(*mine).values({**free, **values}))


def _is_history(change: Change) -> bool:
    return bool(change.fields) or change.kind is not Kind.UPDATED


def _parts(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _provider_id(connection: sa.Connection, slug: str) -> int | None:
    return connection.execute(sa.select(providers.c.id).where(providers.c.slug == slug)).scalar_one_or_none()


def _ensure_provider(connection: sa.Connection, provider: Provider[Any], now: datetime) -> int:
    """The provider's id; its row is made on first sight, and never touched again, because operators may edit it."""
    found = _provider_id(connection, provider.slug)
    if found is not None:
        return found
    values = {
        "slug": provider.slug,
        "name": provider.name,
        "description": provider.description,
        "base_url": provider.base_url,
        "api_key_env_var": provider.auth.variables[0],
        "site_url": provider.site_url,
        "logo_url": provider.logo_url,
        "status_page_url": provider.status_page_url,
        "privacy_policy_url": provider.privacy_policy_url,
        "terms_of_service_url": provider.terms_of_service_url,
        "metadata": {"docs_url": provider.docs_url, "price_unit": provider.price_unit, "verified": provider.verified},
        "created_at": now,
        "updated_at": now,
    }
    return int(connection.execute(sa.insert(providers).values(values).returning(providers.c.id)).scalar_one())


def _derive_abilities(connection: sa.Connection, provider_id: int) -> None:
    """What a provider supports is what at least one of its active models is stated to support."""

    def some(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
        found = sa.exists().where(models.c.provider_id == provider_id, models.c.is_active, condition)
        return sa.case((found, sa.true()), else_=sa.null())

    flags = ("supports_streaming", "supports_function_calling", "supports_vision")
    values = {name: some(models.c[name].is_(sa.true())) for name in flags}
    values["supports_image_generation"] = some(models.c.modality.like("%->%image%"))
    connection.execute(sa.update(providers).where(providers.c.id == provider_id).values(values))


def _count_values(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNT_COLUMNS}


def _result_values(run_id: int, result: ProviderResult, now: datetime) -> dict[str, Any]:
    outcome: Outcome = result.outcome
    failure: Failure | None = outcome.failure if isinstance(outcome, Failed) else None
    return {
        "run_id": run_id,
        "provider": result.slug,
        "outcome": type(outcome).__struct_config__.tag,
        "error_kind": failure.kind.value if failure else "config" if isinstance(outcome, NoKey) else None,
        "error": result.error,
        "warnings": list(result.warnings[:100]),
        "duration_seconds": result.seconds,
        "finished_at": now,
        **_count_values(result.counts),
    }
