"""The two databases, each as a benchmark needs it: fresh catalogs, the plain driver's floors, and exact counts of what was written."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg

from modelsync.database.rows import COLUMNS, postgres_values, sqlite_values
from modelsync.providers.builtin import openrouter
from modelsync.sync.store import Store
from support import postgres

NAMES = ", ".join(COLUMNS)
HISTORY = "run_id, provider_id, provider_model_id, kind, fields, changed_at"
HASHES = "SELECT provider_model_id, content_hash FROM models WHERE provider_id = 1"
COUNTED = "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM model_changes)"
KNOWN = {openrouter.PROVIDER.slug: openrouter.PROVIDER}

Row = tuple[Any, ...]


class Database(Protocol):
    """What both databases can do."""

    name: str

    def fresh(self) -> str:
        """The address of a new database with its tables, and nothing in them; the one before is gone."""
        ...

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with the values that the driver takes as they are."""
        ...

    def load(self, rows: Sequence[Row], history: Sequence[Row]) -> None:
        """The floor of a first load: rows into `models` and `model_changes` by the plain driver, in one transaction."""
        ...

    def stored(self) -> tuple[int, int]:
        """How many rows `models` and `model_changes` have."""
        ...

    def hashes(self) -> list[Row]:
        """The floor of comparing: every id and hash by the plain driver."""
        ...

    def versions(self) -> set[Row]:
        """Something of every model row that is another one after the row is written again."""
        ...

    def sizes(self) -> dict[str, int]:
        """Bytes of the model table or file, and of the log written so far where there is one."""
        ...


def opened(address: str) -> Store:
    """The catalog at an address; where there is none yet, with its tables made."""
    return Store.open(address, KNOWN)


class Sqlite:
    """SQLite in a file."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "catalog.db"
        self._empty = folder / "empty.db"

    def fresh(self) -> str:
        """A new file: a copy of one whose tables were made once."""
        if not self._empty.exists():
            opened(f"sqlite:///{self._empty}").close()
        for file in self._folder.glob("catalog.db*"):
            file.unlink()
        shutil.copyfile(self._empty, self._path)
        return f"sqlite:///{self._path}"

    def _connect(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(self._path, isolation_level=None))

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        """As text and numbers."""
        return list(sqlite_values(rows))

    def load(self, rows: Sequence[Row], history: Sequence[Row]) -> None:
        """executemany, twice."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for table, names, values in (("models", NAMES, rows), ("model_changes", HISTORY, history)):
                marks = ", ".join("?" for _ in names.split(", "))
                connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
            connection.execute("COMMIT")

    def stored(self) -> tuple[int, int]:
        """Counted."""
        with self._connect() as connection:
            (row,) = connection.execute(COUNTED)
            return row[0], row[1]

    def hashes(self) -> list[Row]:
        """fetchall."""
        with self._connect() as connection:
            return connection.execute(HASHES).fetchall()

    def versions(self) -> set[Row]:
        """A count kept by triggers, made on the first call."""
        with self._connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS written (number INTEGER PRIMARY KEY, model INTEGER)")
            for event in ("INSERT", "UPDATE"):
                body = "BEGIN INSERT INTO written (model) VALUES (new.id); END"
                connection.execute(f"CREATE TRIGGER IF NOT EXISTS written_{event} AFTER {event} ON models {body}")
            return set(connection.execute("SELECT number, model FROM written"))

    def sizes(self) -> dict[str, int]:
        """The file."""
        with self._connect() as connection:
            pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
            return {"heap": pages * size}


class Postgres:
    """A PostgreSQL server of our own."""

    name = "Postgres"

    def __init__(self, server: str) -> None:
        self._server = server
        self._address = ""
        self._number = 0

    def fresh(self) -> str:
        """A new database: a copy of one whose tables were made once."""
        if self._number:
            postgres.drop_database(self._server, f"bench{self._number}")
        else:
            opened(postgres.new_database(self._server, "empty")).close()
        self._number += 1
        self._address = postgres.new_database(self._server, f"bench{self._number}", "empty")
        return self._address

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        """With documents as JSON text."""
        return list(postgres_values(rows))

    def load(self, rows: Sequence[Row], history: Sequence[Row]) -> None:
        """COPY, twice."""
        with psycopg.connect(self._address) as connection:
            for table, names, values in (("models", NAMES, rows), ("model_changes", HISTORY, history)):
                with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
                    for row in values:
                        copy.write_row(row)

    def stored(self) -> tuple[int, int]:
        """Counted."""
        (row,) = self._all(COUNTED)
        return row[0], row[1]

    def _all(self, query: str) -> list[Row]:
        with psycopg.connect(self._address) as connection:
            return connection.execute(query.encode()).fetchall()

    def hashes(self) -> list[Row]:
        """fetchall."""
        return self._all(HASHES)

    def versions(self) -> set[Row]:
        """Where each row version is, and who wrote it."""
        return set(self._all("SELECT id, ctid::text, xmin::text FROM models"))

    def sizes(self) -> dict[str, int]:
        """The table without its indexes, and the log."""
        query = "SELECT pg_relation_size('models'), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
        ((heap, log),) = self._all(query)
        return {"heap": heap, "log": log}


@contextlib.contextmanager
def both() -> Iterator[list[Database]]:
    """SQLite in a temporary folder, and Postgres where its binaries are."""
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder, postgres.server() as server:
        found: list[Database] = [Sqlite(Path(folder))]
        yield [*found, Postgres(server)] if server else found
