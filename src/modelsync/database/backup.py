"""A catalog's backup and its restore. SQLite is copied here; Postgres has tools of its own, and this says how to call them."""

import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from sqlalchemy.engine import URL

from modelsync import files
from modelsync.database import engine, migrate
from modelsync.database.errors import explaining
from modelsync.errors import DatabaseError, UsageError


class Copied(msgspec.Struct, frozen=True):
    """A checked copy: the version of its schema, and the rows of each table."""

    version: str
    rows: dict[str, int]


def backup(address: str, file: Path) -> Copied:
    """Copy a SQLite catalog into a new file, as one committed state of it; other programs may go on writing meanwhile.

    UsageError for Postgres, with the command that does it. DatabaseError when there is no catalog, or something where the copy shall be.
    """
    url, to = engine.parse_url(address), file.absolute()
    if url.get_backend_name() != "sqlite":
        raise _with_pg_dump(url, file)
    source = Path(url.database or "").absolute()
    if not source.exists():
        raise DatabaseError(f"There is no catalog at {source}", "Name one with --database, or in DATABASE_URL")
    if to.resolve() in engine.files(url)[1:]:
        raise DatabaseError(f"{to} is where SQLite keeps a part of that catalog", "Nothing was written; name another file")
    _refuse_unknown(source)
    with explaining(str(to)), _claimed(to), _copy(source, to.parent) as (made, copied):
        made.replace(to)
        return copied


def restore(address: str, file: Path) -> Copied:
    """Make a catalog of a backup, where none is. UsageError for Postgres, with the command that does it.

    DatabaseError when the backup is none that this program knows, or when something is where the catalog shall be.
    """
    url, source = engine.parse_url(address), file.absolute()
    if url.get_backend_name() != "sqlite":
        raise _with_pg_restore(url, file)
    target = Path(url.database or "").absolute()
    if not source.is_file():
        raise DatabaseError(f"There is no file {source}", "Name a backup that `modelsync db backup` made")
    _refuse_unknown(source)
    with explaining(str(target)):
        _refuse_occupied(target)
        with _copy(source, target.parent) as (made, copied):
            files.keep_mode(target, made)
            target.unlink(missing_ok=True)  # an empty one
            os.link(made, target)  # which fails where somebody made a catalog meanwhile
            return copied


# Postgres

_ONLY_OURS = "--no-owner --no-privileges --schema="
"""For both tools: without the users of the server it comes from, and without the other schemas that Supabase keeps."""


def _with_pg_dump(url: URL, file: Path) -> UsageError:
    version, schema = _looked_at(url)
    if version is None:
        raise DatabaseError(f"There is no catalog in {engine.shown(url)}", "Name one with --database, or in DATABASE_URL")
    migrate.refuse_unknown(version)
    return _by_its_own_tool("backed up", f"pg_dump --format=custom {_ONLY_OURS}{schema} --file={shlex.quote(str(file))} {_for_libpq(url)}")


def _with_pg_restore(url: URL, file: Path) -> UsageError:
    version, schema = _looked_at(url)
    if version is not None:
        raise _occupied(engine.shown(url))
    options = f"--single-transaction --exit-on-error {_ONLY_OURS}{schema}"
    return _by_its_own_tool("restored", f"pg_restore {options} --dbname={_for_libpq(url)} {shlex.quote(str(file))}")


def _by_its_own_tool(done: str, command: str) -> UsageError:
    return UsageError(f"A Postgres catalog is {done} by Postgres's own tool", f"Run (the password is asked for, or PGPASSWORD): {command}")


def _looked_at(url: URL) -> tuple[str | None, str]:
    """The version of the catalog that is there, None without one, and the schema its tables are in."""
    opened = engine.create(url, read_only=True)
    try:
        with explaining(engine.shown(url)), opened.connect() as connection, connection.begin():
            schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
            return migrate.version(connection), shlex.quote(str(schema or "public"))
    finally:
        opened.dispose()


def _for_libpq(url: URL) -> str:
    """The address without any password."""
    query = {name: value for name, value in url.query.items() if "password" not in name}
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return shlex.quote(shown.render_as_string())


# SQLite


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A file that is there. Not read-only where it can be written: only a connection that may write removes the log it made."""
    if engine.is_sealed(path):
        with closing(engine.snapshot(path)) as connection:
            yield connection
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=engine.BUSY_SECONDS, isolation_level=None)) as connection:
        yield connection


def _refuse_unknown(path: Path) -> None:
    """DatabaseError for a file that holds no catalog, or one that this program does not know."""
    with explaining(str(path)), _opened(path) as connection:
        version = _version(connection)
    if version is None:
        raise DatabaseError(f"{path} holds no catalog of modelsync", "Nothing was written; name another file")
    migrate.refuse_unknown(version)


def _version(connection: sqlite3.Connection) -> str | None:
    if not {"models", "alembic_version"} <= set(_tables(connection)):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _tables(connection: sqlite3.Connection) -> list[str]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    return [str(name) for (name,) in names]


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold a new file's name; it is free again when what was to become of it fails."""
    try:
        files.claim(path)
    except FileExistsError:
        raise DatabaseError(f"{path} is there already", "Nothing was written; a backup needs a new file") from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _copy(source: Path, folder: Path) -> Iterator[tuple[Path, Copied]]:
    """A checked copy in a file that is gone at the end, unless it was moved."""
    handle, name = tempfile.mkstemp(prefix=f".{source.name}.", suffix=".partial", dir=folder)
    os.close(handle)
    made = Path(name)
    try:
        with _opened(source) as connection:
            connection.execute("VACUUM INTO ?", (name,))
        with _opened(made) as connection:
            copied = _checked(connection, source)
        with made.open("rb") as written:
            os.fsync(written.fileno())
        yield made, copied
    finally:
        made.unlink(missing_ok=True)


def _checked(connection: sqlite3.Connection, source: Path) -> Copied:
    problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    version = _version(connection)
    if problems != ["ok"] or version is None:
        raise DatabaseError(f"{source} is damaged: {problems[0]}", "Nothing was kept of the copy; use an older backup")
    rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in _tables(connection)}  # noqa: S608 - its own
    return Copied(version, rows)


def _refuse_occupied(target: Path) -> None:
    """DatabaseError unless nothing is there, or a database without tables."""
    if target.exists():
        with _opened(target) as connection:
            if _tables(connection):
                raise _occupied(str(target))
    for end in engine.BESIDE:
        beside = target.with_name(target.name + end)
        if beside.exists():
            hint = "Nothing was written; end the program that uses it, or move it away"
            raise DatabaseError(f"{beside} belongs to another database", hint)


def _occupied(shown: str) -> DatabaseError:
    hint = "Nothing was written; restore into another one with --database, or move this one away first"
    return DatabaseError(f"{shown} is not empty, and a restore never overwrites", hint)
