"""The rows of `workers`: processes that sync by themselves, what each can sync, and what it is at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from modelsync.database.schema import workers
from modelsync.planning.workers import Worker

SILENCE = timedelta(seconds=30)
"""A worker without a sign of life for longer is taken for dead."""

FORGOTTEN = timedelta(days=1)
"""After so long nobody wants to see it any more."""

column = workers.c


def enroll(connection: sa.Connection, host: str, pid: int, program: str, offers: Mapping[str, str], now: datetime) -> int:
    """A new worker, which can sync these providers, each in a scope; its number. Workers that are dead for long are forgotten."""
    connection.execute(sa.delete(workers).where(column.heartbeat_at < now - FORGOTTEN))
    values = {"host": host, "pid": pid, "program": program, "started_at": now, "heartbeat_at": now, "offers": dict(offers), "syncing": []}
    return int(connection.execute(sa.insert(workers).values(values).returning(column.id)).scalar_one())


def beat(connection: sa.Connection, number: int, host: str, pid: int, syncing: Sequence[str], now: datetime) -> bool:
    """A worker's sign of life, with what it syncs now. Whether it is known still: a catalog that was restored has never heard of it, and
    SQLite gives numbers out again.
    """
    mine = (column.id == number, column.host == host, column.pid == pid)
    statement = sa.update(workers).where(*mine).values(heartbeat_at=now, syncing=list(syncing))
    return connection.execute(statement.returning(column.id)).scalar_one_or_none() is not None


def leave(connection: sa.Connection, number: int, host: str, pid: int) -> None:
    """A worker is no more."""
    connection.execute(sa.delete(workers).where(column.id == number, column.host == host, column.pid == pid))


def listed(connection: sa.Connection, now: datetime) -> list[Worker]:
    """Every worker that nobody has forgotten, in the order of their numbers. One from the future is as dead as one that says nothing."""
    rows = connection.execute(sa.select(workers).order_by(column.id)).mappings()
    return [_worker(row, now) for row in rows]


def _worker(row: sa.RowMapping, now: datetime) -> Worker:
    values = {name: row[name] for name in ("id", "host", "pid", "program", "started_at", "heartbeat_at")}
    offers, syncing = row["offers"] or {}, tuple(row["syncing"] or ())
    return Worker(**values, offers=offers, syncing=syncing, alive=abs(now - row["heartbeat_at"]) <= SILENCE)
