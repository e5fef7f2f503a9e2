"""Statements compiled once for each kind of database, not anew for the engine of each test: a third of what a test of a catalog takes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Compiled, Dialect

COMPILED: dict[object, Compiled] = {}


def compile_once() -> None:
    """Let all engines of this process share what is compiled. They speak to one version of each database, so it is the same for all."""
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__hash__ = _hash  # type: ignore[method-assign]
        kind.__eq__ = _is_same  # type: ignore[method-assign]
    sa.event.listen(sa.Engine, "engine_connect", _share)


def _hash(dialect: Dialect) -> int:
    return hash(type(dialect))


def _is_same(dialect: Dialect, other: object) -> bool:
    return type(dialect) is type(other)


def _share(connection: sa.Connection) -> None:
    connection.execution_options(compiled_cache=COMPILED)
