"""Bulk writing in Postgres: COPY, of what is there already into a temporary table and then one upsert. Works through a transaction-mode
pooler, and for users whom row level security binds."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa

from modelsync.database.bulk import Unfit
from modelsync.database.rows import COLUMNS, KEPT, postgres_values

_NAMES = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO models ({_NAMES}) SELECT {_NAMES} FROM incoming ORDER BY provider_model_id "  # noqa: S608 - names of our own columns
    "ON CONFLICT (provider_id, provider_model_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT)
)
_HASHES = b"SELECT provider_model_id, content_hash FROM models WHERE provider_id = %s"
_HASHES_OF = _HASHES + b" AND provider_model_id = ANY(%s)"
_NAMES_OF_CHANGES = "run_id, provider_id, provider_model_id, kind, fields, changed_at"


def hashes(connection: sa.Connection, provider_id: int) -> dict[str, str]:
    """The content hash of every model of a provider, read from the index alone."""
    return dict(_cursor(connection).execute(_HASHES, (provider_id,)).fetchall())


def hashes_of(connection: sa.Connection, provider_id: int, ids: Iterable[str]) -> dict[str, str]:
    """The same of those of these ids that are there."""
    return dict(_cursor(connection).execute(_HASHES_OF, (provider_id, list(ids))).fetchall())


def insert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert rows of models that are not there, given in the order of COLUMNS; how many."""
    return _append(_cursor(connection), "models", _NAMES, rows)


def upsert_models(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert or update rows given in the order of COLUMNS, sorted by key so that two writers cannot deadlock; how many."""
    return _by_way_of_incoming(_cursor(connection), "models", _NAMES, rows, _UPSERT)


def insert_changes(connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Append rows of model_changes."""
    _append(_cursor(connection), "model_changes", _NAMES_OF_CHANGES, rows)


def _append(cursor: "psycopg.Cursor[Any]", table: str, names: str, rows: Iterable[tuple[object, ...]]) -> int:
    """Insert rows with an id; how many. Postgres refuses COPY into a table whose row level security binds the user."""
    (is_bound,) = cursor.execute("SELECT row_security_active(%s)", (table,)).fetchone() or (False,)
    if is_bound:
        in_their_order = f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming"  # noqa: S608 - names of our own
        return _by_way_of_incoming(cursor, table, names, rows, in_their_order)
    return _copy(cursor, table, names, rows)


def _by_way_of_incoming(cursor: "psycopg.Cursor[Any]", table: str, names: str, rows: Iterable[tuple[object, ...]], statement: str) -> int:
    """Do a statement with rows in a temporary table like another one; how many rows it wrote."""
    cursor.execute(f"CREATE TEMPORARY TABLE incoming (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DROP".encode())
    cursor.execute("ALTER TABLE incoming ALTER COLUMN id DROP NOT NULL")
    _copy(cursor, "incoming", names, rows)
    cursor.execute(statement.encode())
    written = cursor.rowcount
    cursor.execute("DROP TABLE incoming")
    return written


_OF_ROW = re.compile(r"^COPY \S+, \S+ (\d+)", re.MULTILINE)  # the word between is in the language of the server
_ROWS_OWN = ("22", "23", "54")  # a value, a constraint, a limit: https://www.postgresql.org/docs/current/errcodes-appendix.html


def insert_rows(connection: sa.Connection, table: str, names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows of any table with all their columns, given in the order of their `names`; documents are JSON text.

    Unfit when the database says of one row that it cannot be written.
    """
    columns = ", ".join(f'"{name}"' for name in names)
    try:
        _copy(_cursor(connection), f'"{table}"', columns, rows)
    except psycopg.Error as error:
        line = _OF_ROW.search(error.diag.context or "")
        if line is None or (error.sqlstate or "")[:2] not in _ROWS_OWN:
            raise
        raise Unfit(int(line[1]) - 1, error.diag.message_primary or "") from error


def let_numbers_go_on(connection: sa.Connection, table: str) -> None:
    """The next row gets a number (`id`) above those that are there."""
    last = f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), max(id)) FROM \"{table}\""  # noqa: S608 - a name of our own
    _cursor(connection).execute(last.encode())


def _copy(cursor: "psycopg.Cursor[Any]", table: str, names: str, rows: Iterable[tuple[object, ...]]) -> int:
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
        for row in postgres_values(rows):
            copy.write_row(row)
    return cursor.rowcount


def _cursor(connection: sa.Connection) -> "psycopg.Cursor[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - tells the type checker which driver this is
    return driver.cursor()


_PLACE = b"SELECT pg_postmaster_start_time(), oid, to_regclass('models')::oid FROM pg_database WHERE datname = current_database()"


def place(connection: sa.Connection) -> object:
    """Where the catalog is, whatever its address: a server is known by the moment in which it started."""
    return _cursor(connection).execute(_PLACE).fetchone()


def now(connection: sa.Connection) -> str:
    """The database's time as text."""
    return str(connection.exec_driver_sql("SELECT clock_timestamp()::text").scalar_one())
