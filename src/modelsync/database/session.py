"""An open database: connections, transactions and their retries, the clock. What is in its tables is others' matter."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from modelsync.database import bulk_sqlite, engine, migrate
from modelsync.database.bulk import BulkWriter
from modelsync.database.errors import explaining
from modelsync.errors import Conflict, DatabaseError
from modelsync.providers.base import Provider

Result = TypeVar("Result")

ATTEMPTS = 3
"""How often a transaction is tried that conflicts with others."""

PATIENCE = 1.0
"""Seconds that work which may be skipped waits for SQLite's one writer."""


def _bulk_writer(dialect: str) -> BulkWriter:
    """The module of a dialect. That of Postgres brings its driver along."""
    if dialect == "sqlite":
        return bulk_sqlite
    from modelsync.database import bulk_postgres

    return bulk_postgres


class Session:
    """An open database. Safe for use from several threads; all methods block."""

    def __init__(self, engine: sa.Engine, shown: str, providers: Mapping[str, Provider], *, read_only: bool) -> None:
        self.engine = engine
        self.shown = shown
        self.providers = providers
        self.read_only = read_only
        self.dialect = engine.dialect.name
        self.bulk = _bulk_writer(self.dialect)
        self._one_writer = threading.Lock() if self.dialect == "sqlite" else threading.BoundedSemaphore(4)

    @classmethod
    def open(cls, address: str, providers: Mapping[str, Provider], *, read_only: bool = False) -> Self:
        """Open the database at `address`; an empty one gets its tables. With `read_only` nothing is made: where there is none,
        it reads like an empty catalog as long as it is open.

        Raises DatabaseError when it cannot be opened, is newer than this program, or needs `modelsync db upgrade`.
        """
        url = engine.parse_url(address)
        shown, opened = engine.shown(url), engine.create(url, read_only=read_only)
        try:
            with explaining(shown):
                has_catalog = migrate.prepare(opened, read_only=read_only)
        except DatabaseError:
            opened.dispose()
            raise
        if not has_catalog:
            opened.dispose()
            opened = engine.empty()
        return cls(opened, shown, providers, read_only=read_only)

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
                ending.enter_context(bulk_sqlite.taking_at_most(connection, seconds))
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

    def transact_unless_busy(self, work: Callable[[sa.Connection], object]) -> None:
        """The same for work that may be skipped: on SQLite once, and only if no thread of this program is writing and no other program
        keeps it waiting for longer than PATIENCE (DatabaseError)."""
        if self.dialect == "postgresql":
            self.transact(work)
        elif self._one_writer.acquire(blocking=False):
            try:
                with (
                    explaining(self.shown),
                    self.engine.connect().execution_options(writes=True) as connection,
                    bulk_sqlite.waiting_at_most(connection, PATIENCE),
                    connection.begin(),
                ):
                    work(connection)
            finally:
                self._one_writer.release()

    def now(self, connection: sa.Connection) -> datetime:
        """The database's own clock, which orders everything."""
        return datetime.fromisoformat(self.bulk.now(connection))
