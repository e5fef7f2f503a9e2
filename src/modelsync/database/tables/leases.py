"""The right to commit: one lease per provider at a time, ordered, and worthless once somebody else took over."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import provider_state
from modelsync.database.tables import pauses, providers
from modelsync.planning.outcome import Busy

state = provider_state.c

LEASE = 30.0
"""Seconds a sync's lease is valid without a sign of life."""

MOST = timedelta(seconds=90)
"""No lease is given for longer: one that ends later was written by a clock that ran ahead, and does not count."""


class Lease(msgspec.Struct, frozen=True):
    """The right to commit one provider's sync: `seq` orders fetches, `token` proves that nobody took over. `scheduled` is one that nobody
    asked for.
    """

    slug: str
    run_id: int
    seq: int
    token: str
    scheduled: bool = False


def take(connection: sa.Connection, slug: str, run_id: int, now: datetime, seconds: float, *, scheduled: bool = False) -> Lease | Busy:
    """The lease for one provider, valid for `seconds`; or Busy while another run holds a valid one."""
    ensure_state(connection, slug)
    row = _locked(connection, slug)
    if _is_valid(row, now):
        return Busy(row["ticket_run_id"])
    lease = Lease(slug, run_id, row["ticket_seq"] + 1, secrets.token_hex(8), scheduled)
    values = {
        "ticket_seq": lease.seq,
        "ticket_token": lease.token,
        "ticket_run_id": run_id,
        "ticket_until": now + timedelta(seconds=seconds),
        "last_attempt_at": now,
        "unended": row["unended"] + 1,
    }
    connection.execute(sa.update(provider_state).where(state.provider == slug).values(values))
    return lease


def running(row: sa.RowMapping, now: datetime) -> int | None:
    """The run that holds the valid lease of a provider with this state."""
    return row["ticket_run_id"] if _is_valid(row, now) else None


def _is_valid(row: sa.RowMapping, now: datetime) -> bool:
    return row["ticket_token"] is not None and now < row["ticket_until"] < now + MOST


def holds(connection: sa.Connection, lease: Lease) -> sa.RowMapping | None:
    """The provider's state, locked, while a lease is the valid one; None when somebody took over, or a person keeps syncs out."""
    row = _locked(connection, lease.slug)
    mine = row["ticket_token"] == lease.token and row["committed_seq"] < lease.seq
    return row if mine and kept_out(connection, lease.slug) is None else None


def kept_out(connection: sa.Connection, slug: str) -> str | None:
    """Why no sync may change a provider's part of the catalog: switched off, frozen, or all paused. None when it may."""
    if providers.switched_off(connection, slug):
        return "switched off in the catalog (`providers.is_active`)"
    pause = pauses.standing(connection)
    if pause is not None:
        return f'paused by {pause.actor}, {pause.reason}. `modelsync resume --reason "…"` lets everything sync again'
    row = state_of(connection, slug)
    frozen = row["frozen_reason"] if row and row["frozen_at"] else None
    return f'paused, {frozen}. `modelsync resume {slug} --reason "…"` lets it sync again' if frozen else None


def renew(connection: sa.Connection, run_id: int, now: datetime) -> None:
    """A sign of life: the leases of a run are valid for another while."""
    mine = (state.ticket_run_id == run_id, state.ticket_token.is_not(None))
    connection.execute(sa.update(provider_state).where(*mine).values(ticket_until=now + timedelta(seconds=LEASE)))


SERVED = {"last_served_at": state.last_attempt_at}
"""Of the state of a provider after an attempt that serves its schedule: one that was stopped, or whose lease is lost, does not."""

ANSWERED = {**SERVED, "retries": 0, "not_before": None}
"""The same after one that the provider answered with a list."""


def release(connection: sa.Connection, lease: Lease, values: Mapping[str, object]) -> None:
    """Give a lease back, and note `values` in the provider's state."""
    free = {"ticket_token": None, "ticket_until": None, "ticket_run_id": None, "unended": 0}
    mine = (state.provider == lease.slug, state.ticket_token == lease.token)
    connection.execute(sa.update(provider_state).where(*mine).values({**free, **values}))


def ensure_state(connection: sa.Connection, slug: str) -> None:
    """Make the provider's row of state, when it is not there yet."""
    statement = "INSERT INTO provider_state (provider) VALUES (:slug) ON CONFLICT (provider) DO NOTHING"
    connection.execute(sa.text(statement), {"slug": slug})


def state_of(connection: sa.Connection, slug: str) -> sa.RowMapping | None:
    """The provider's state, None before its first sync."""
    return connection.execute(sa.select(provider_state).where(state.provider == slug)).mappings().one_or_none()


def lock(connection: sa.Connection, slug: str) -> sa.RowMapping:
    """The provider's state, which nobody else can change or commit on before this transaction ends."""
    ensure_state(connection, slug)
    return _locked(connection, slug)


def _locked(connection: sa.Connection, slug: str) -> sa.RowMapping:
    return connection.execute(sa.select(provider_state).where(state.provider == slug).with_for_update()).mappings().one()
