"""Opening a database: its address as people paste it, and the driver settings that both databases need."""

import contextlib
import os
import re
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from modelsync import files as files_module
from modelsync.database.schema import metadata
from modelsync.errors import SettingsError

BUSY_SECONDS = 30
SECONDS = "modelsync_seconds"
"""The execution option that says how long each statement of a transaction may take on Postgres."""
BESIDE = ("-wal", "-shm", "-journal")
"""Ends of the names of the files that SQLite keeps beside a database; they get its mode."""
LOOPBACK = ("localhost", "127.0.0.1", "::1", "")

_postgres = re.compile(
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?"  # the password may hold any character, @ and / included
    r"(?P<host>\[[^\]]+\]|[^:/?@]*)(?::(?P<port>[0-9]{1,5}))?(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
# Said by poolers' and ORMs' connection strings to their own clients; the server would refuse them.
_FOREIGN_PARAMETERS = {"pgbouncer", "connection_limit", "pool_timeout", "schema", "supa", "workaround"}
_web_api = re.compile(r"https?://([^./@]+)\.supabase\.co(?![\w.]).*", re.IGNORECASE)
_no_file = re.compile(r"psql\s|(?:\w+=\S*\s+)*(?:host|dbname)=|(?:[\w ]+=[^;]*;)+", re.IGNORECASE)
"""Forms of a connection that dashboards show beside the address: a command, keywords for libpq, and those for .NET."""


def parse_url(text: str) -> URL:
    """A database address as SQLAlchemy's, from `sqlite:///file`, a plain file name, or any Postgres string as pasted.

    Raises SettingsError when it cannot be one; the message never holds the address, which may hold a password.
    """
    text = text.strip().strip("'\"")
    scheme, separator, rest = text.partition("://")
    if not separator:
        if not text.removeprefix("sqlite:"):
            raise _malformed()
        if (":" in text.removeprefix("sqlite:") and not Path(text).is_absolute()) or _no_file.match(text):
            raise _malformed()
        return URL.create("sqlite+pysqlite", database=text.removeprefix("sqlite:"))
    if scheme.startswith("sqlite"):
        return _sqlite(text)
    if scheme in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        return _postgresql(rest)
    if project := _web_api.fullmatch(text):
        raise _of_the_web_api(project[1])
    raise _malformed()


def _sqlite(text: str) -> URL:
    try:
        url = make_url(text.partition("?")[0])
    except (ArgumentError, ValueError) as error:
        raise _malformed() from error
    if not url.database or url.database == ":memory:":
        raise SettingsError("The catalog needs a database file, not memory", "Use sqlite:///modelsync.db, or a path of your own")
    return URL.create("sqlite+pysqlite", database=url.database)


def _postgresql(rest: str) -> URL:
    """An address as pasted, without its scheme; TLS is required of other machines unless it says otherwise. SettingsError if malformed."""
    match = _postgres.fullmatch(rest)
    if match is None:
        raise _malformed()
    if "[YOUR-PASSWORD]" in unquote(rest):
        raise SettingsError("DATABASE_URL still holds the placeholder [YOUR-PASSWORD]", "Put the database password in its place")
    query = {name: value for name, value in parse_qsl(match["query"] or "") if name.lower() not in _FOREIGN_PARAMETERS}
    host = (match["host"] or "").strip("[]")
    if host not in LOOPBACK and not host.startswith("/") and "host" not in query:
        query.setdefault("sslmode", "require")
    return URL.create(
        "postgresql+psycopg",
        username=unquote(match["user"]) if match["user"] else None,
        password=unquote(match["password"]) if match["password"] else None,
        host=host or None,
        port=int(match["port"]) if match["port"] else None,
        database=unquote(match["database"] or "") or None,
        query=query,
    )


def _malformed() -> SettingsError:
    hint = "Set DATABASE_URL or --database to sqlite:///modelsync.db, or postgresql://user:password@host:5432/database"
    return SettingsError("The address of the database cannot be read", hint)


def _of_the_web_api(project: str) -> SettingsError:
    address = f"postgresql://postgres.{project}:[YOUR-PASSWORD]@aws-0-<region>.pooler.supabase.com:6543/postgres"
    hint = f"Set DATABASE_URL to the connection string that Supabase's dashboard shows under Connect, as {address}"
    what = "SUPABASE_URL and its keys are for Supabase's web API, and modelsync needs the database itself"
    return SettingsError(what, f"{hint}; or to sqlite:///modelsync.db, to use SQLite all the same")


def shown(url: URL) -> str:
    """The address for people: an absolute path, or a Postgres address without its password."""
    if url.get_backend_name() == "sqlite":
        return str(Path(url.database or "").absolute())
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def files(url: URL) -> tuple[Path, ...]:
    """SQLite's file and what SQLite keeps beside it, there or not; nothing for Postgres."""
    if url.get_backend_name() != "sqlite":
        return ()
    path = Path(url.database or "").resolve()
    return (path, *(path.with_name(path.name + end) for end in BESIDE))


def shown_address(address: str) -> str:
    """A database address for people: an absolute path, or a Postgres address without its password. SettingsError when malformed."""
    return shown(parse_url(address))


def files_of(address: str) -> tuple[Path, ...]:
    """The files of a SQLite database, there or not; nothing for Postgres. SettingsError when the address is malformed."""
    return files(parse_url(address))


_NOTICED = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""That a server is gone which says nothing: within half a minute, where the system would wait for two hours."""


def create(url: URL, *, read_only: bool) -> sa.Engine:
    """An engine whose transactions begin as they must: writing ones take SQLite's write lock at once."""
    if url.get_backend_name() == "sqlite":
        return _create_sqlite(url, read_only=read_only)
    engine = sa.create_engine(
        url,
        pool_size=8,  # kept open: a server's threads for short questions; a sync needs fewer, and opens none before it does
        max_overflow=12,
        pool_pre_ping=True,
        # Prepared statements do not survive a transaction-mode pooler (pgbouncer, Supavisor).
        connect_args={"prepare_threshold": None, "connect_timeout": 10, "application_name": "modelsync", **_NOTICED},
        execution_options={"postgresql_readonly": True} if read_only else {},
    )

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        # A server, database or role may prefer another zone, or dates that are no ISO; a pooler forgets what is set for a session.
        seconds = connection.get_execution_options().get(SECONDS)
        limit = f"; SET LOCAL statement_timeout = {seconds * 1000:.0f}" if seconds else ""
        connection.exec_driver_sql(f"SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'{limit}")

    return engine


def _create_sqlite(url: URL, *, read_only: bool) -> sa.Engine:
    """An engine for a SQLite file, which only a writing one makes. It waits up to BUSY_SECONDS for another program's transaction."""
    path = Path(url.database or "").absolute()
    if read_only and not path.exists():  # an empty catalog, which reading must not make a file of
        return sa.create_engine("sqlite+pysqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    if read_only and is_sealed(path):
        return _of_snapshots(path)
    query = {"uri": "true"} | ({"mode": "ro"} if read_only and not _leaves_no_trace(path) else {})
    engine = sa.create_engine(
        URL.create("sqlite+pysqlite", database=path.as_uri(), query=query),
        poolclass=sa.QueuePool,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connecting(*_: object) -> None:
        if not read_only:
            with contextlib.suppress(OSError):  # it is there; or it cannot be, and SQLite says why
                files_module.claim(path)

    _begin_ourselves(engine)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            _write_ahead(connection)

    return engine


def is_sealed(path: Path) -> bool:
    """Whether a SQLite file that nobody has open lies where this user may not write: SQLite would make files beside it even to read."""
    in_use = any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    return path.exists() and not in_use and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _of_snapshots(path: Path) -> sa.Engine:
    """An engine for a sealed file. Each of its few connections is a copy in memory of its own."""
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: snapshot(path),
        poolclass=sa.QueuePool,
        pool_size=COPIES,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
    )
    _begin_ourselves(engine)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    return engine


COPIES = 4
"""Of a file that is read from memory: who comes while all are in use waits."""


def snapshot(path: Path) -> sqlite3.Connection:
    """A copy in memory of a SQLite file that is sealed, its whole size in bytes.

    sqlite3.OperationalError when a program begins to write meanwhile: its pages may be of two states.
    """
    before = path.stat()
    content = bytearray(path.read_bytes())
    after = path.stat()
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or not is_sealed(path):
        raise sqlite3.OperationalError("database is locked")
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    if content:
        content[_JOURNAL_MODES] = b"\x01\x01"
        connection.deserialize(bytes(content))
    return connection


_JOURNAL_MODES = slice(18, 20)
"""The bytes of a SQLite file that say whether it has a write-ahead log: 2 and 2, which a database in memory cannot (fileformat2.html)."""


def empty() -> sa.Engine:
    """A catalog in memory with nothing in it, for reading where there is none. Any number of threads may read."""
    address = f"file:{secrets.token_hex(8)}?mode=memory&cache=shared&uri=true"
    engine = sa.create_engine(f"sqlite+pysqlite:///{address}", poolclass=sa.QueuePool, connect_args={"check_same_thread": False})
    _begin_ourselves(engine)
    with engine.connect() as connection, connection.begin():
        metadata.create_all(connection)
    return engine  # whose pool stays connected: that keeps what is in memory


def _begin_ourselves(engine: sa.Engine) -> None:
    """Transactions of SQLite that begin where SQLAlchemy says so, not where the driver thinks."""

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        # A deferred transaction that reads before it writes fails at once with SQLITE_BUSY_SNAPSHOT instead of waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite does not wait when several programs do this to a new file at once, so we do."""
    ends_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends_at:
                raise
            time.sleep(0.02)
        else:
            return


def _leaves_no_trace(path: Path) -> bool:
    """Whether reading through an ordinary connection changes nothing.

    It removes its -wal and -shm files at its end, which a read-only one cannot; but it would also fold a log that a killed program left
    into the file, and it needs to write beside it.
    """
    return not path.with_name(f"{path.name}-wal").exists() and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
