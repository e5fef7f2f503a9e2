"""Bulk writing in SQLite: one prepared statement, many rows, the driver's own executemany."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from modelsync.database.engine import BUSY_SECONDS
from modelsync.database.rows import COLUMNS, KEPT, sqlite_values

_INSERT = f"INSERT INTO models ({', '.join(COLUMNS)}) VALUES ({', '.join('?' for _ in COLUMNS)})"  # noqa: S608 - names of our own columns
_UPSERT = f"{_INSERT} ON CONFLICT (provider_id, provider_model_id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT
)
_HASHES = "SELECT provider_model_id, content_hash FROM models WHERE provider_id = ?"
_HASHES_OF = f"{_HASHES} AND provider_model_id IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own text
_CHANGES = "INSERT INTO model_changes (run_id, provider_id, provider_model_id, kind, fields, changed_at) VALUES (?, ?, ?, ?, ?, ?)"


def hashes(connection: sa.Connection, provider_id: int) -> dict[str, str]:
    """The content hash of every model of a provider, read from the index alone."""
    return dict(_driver(connection).execute(_HASHES, (provider_id,)).fetchall())


def hashes_of(connection: sa.Connection, provider_id: int, ids: Iterable[str]) -> dict[str, str]:
    """The same of those of these ids that are there."""
    return dict(_driver(connection).execute(_HASHES_OF, (provider_id, json.dumps(list(ids)))).fetchall())


def insert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert rows of models that are not there, given in the order of COLUMNS; the number of rows written."""
    return _driver(connection).executemany(_INSERT, sqlite_values(rows)).rowcount


def upsert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert or update rows given in the order of COLUMNS; the number of rows written."""
    return _driver(connection).executemany(_UPSERT, sqlite_values(rows)).rowcount


def insert_changes(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Append rows of model_changes."""
    _driver(connection).executemany(_CHANGES, sqlite_values(rows))


def insert_rows(connection: sa.Connection, table: str, names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows of any table with all their columns, given in the order of their `names`; documents are JSON text."""
    columns, values = ", ".join(f'"{name}"' for name in names), ", ".join("?" for _ in names)
    statement = f'INSERT INTO "{table}" ({columns}) VALUES ({values})'  # noqa: S608 - names of our own
    _driver(connection).executemany(statement, sqlite_values(rows))


def let_numbers_go_on(connection: sa.Connection, table: str) -> None:
    """Nothing is to be done: SQLite gives the number after the highest one there is."""


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    """The driver's own connection, which takes rows one by one, so that their text is never all in memory."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - tells the type checker which driver this is
    return driver


@contextmanager
def waiting_at_most(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Wait less than usual for another program's transaction."""
    driver = _driver(connection)
    driver.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


STEPS = 20_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""


@contextmanager
def taking_at_most(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Stop whatever still runs after so many seconds: it fails as interrupted."""
    ends_at = time.monotonic() + seconds
    driver = _driver(connection)
    driver.set_progress_handler(lambda: time.monotonic() > ends_at, STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def place(connection: sa.Connection) -> object:
    """Where the catalog is, whatever its address: the file itself, which may have several names."""
    file = Path(_driver(connection).execute("PRAGMA database_list").fetchone()[2])
    return (file.stat().st_dev, file.stat().st_ino) if file.is_file() else object()  # of a copy in memory nobody has another


def now(connection: sa.Connection) -> str:
    """The database's time as text."""
    return str(connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").scalar_one())
