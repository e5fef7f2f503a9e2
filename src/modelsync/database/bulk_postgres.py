"""Bulk writing in Postgres: COPY, of what is there already into a temporary table and then one upsert. Works through a transaction-mode
pooler."""

from collections.abc import Iterable
from typing import Any

import psycopg
import sqlalchemy as sa

from modelsync.database.rows import COLUMNS, KEPT, postgres_values

_NAMES = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO models ({_NAMES}) SELECT {_NAMES} FROM incoming ORDER BY provider_model_id "  # noqa: S608 - names of our own columns
    "ON CONFLICT (provider_id, provider_model_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT)
)
_HASHES = b"SELECT provider_model_id, content_hash FROM models WHERE provider_id = %s"
_HASHES_OF = _HASHES + b" AND provider_model_id = ANY(%s)"
_COPY_CHANGES = "COPY model_changes (run_id, provider_id, provider_model_id, kind, fields, changed_at) FROM STDIN"


def hashes(connection: sa.Connection, provider_id: int) -> dict[str, str]:
    """The content hash of every model of a provider, read from the index alone."""
    return dict(_cursor(connection).execute(_HASHES, (provider_id,)).fetchall())


def hashes_of(connection: sa.Connection, provider_id: int, ids: Iterable[str]) -> dict[str, str]:
    """The same of those of these ids that are there."""
    return dict(_cursor(connection).execute(_HASHES_OF, (provider_id, list(ids))).fetchall())


def insert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert rows of models that are not there, given in the order of COLUMNS; how many."""
    cursor = _cursor(connection)
    _copy(cursor, f"COPY models ({_NAMES}) FROM STDIN", postgres_values(rows))
    return cursor.rowcount


def upsert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert or update rows given in the order of COLUMNS, sorted by key so that two writers cannot deadlock; how many."""
    cursor = _cursor(connection)
    cursor.execute("CREATE TEMPORARY TABLE incoming (LIKE models INCLUDING DEFAULTS) ON COMMIT DROP")
    cursor.execute("ALTER TABLE incoming ALTER COLUMN id DROP NOT NULL")
    _copy(cursor, f"COPY incoming ({_NAMES}) FROM STDIN", postgres_values(rows))
    cursor.execute(_UPSERT.encode())
    written = cursor.rowcount
    cursor.execute("DROP TABLE incoming")
    return written


def insert_changes(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Append rows of model_changes."""
    _copy(_cursor(connection), _COPY_CHANGES, postgres_values(rows))


def _copy(cursor: "psycopg.Cursor[Any]", statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    with cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _cursor(connection: sa.Connection) -> "psycopg.Cursor[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - tells the type checker which driver this is
    return driver.cursor()


def now(connection: sa.Connection) -> str:
    """The database's time as text."""
    return str(connection.exec_driver_sql("SELECT clock_timestamp()::text").scalar_one())
