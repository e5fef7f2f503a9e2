"""Bringing a database to this program's schema, and refusing what must not be touched."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import ProgrammingError

from modelsync.database import engine as engine_module
from modelsync.database import view
from modelsync.database.errors import RIGHTS, explaining
from modelsync.errors import DatabaseError

log = structlog.get_logger("modelsync.database")

HEAD = "0012"
"""The newest migration."""

NEXT = f"{int(HEAD) + 1:04}"
"""The one after it. A migration only adds, and what it adds may be left out: so this program can go on beside the next one, and several
processes are brought to that one after the other, once the catalog is."""

MIGRATING = threading.Lock()
"""Alembic has one context for a whole process: of two databases that are made at once in two threads, one would miss its own."""


def version(connection: sa.Connection) -> str | None:
    """The schema version of a database; None when it has no catalog. DatabaseError when row level security hides it from this user."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is None and connection.dialect.name == "postgresql" and _is_hidden(connection):
        raise DatabaseError("Row level security hides the catalog from this user", f"Name another user in DATABASE_URL, or {RIGHTS}")
    return None if found is None else str(found)


def _is_hidden(connection: sa.Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT row_security_active('alembic_version')").scalar_one())


def prepare(engine: sa.Engine, *, read_only: bool) -> bool:
    """Make an empty database a catalog, and leave one alone that is up to date, or one migration ahead. Whether there is one: reading makes
    none.

    Raises DatabaseError for an older one, or one that is further ahead.
    """
    with engine.connect() as connection, connection.begin():
        has_models = sa.inspect(connection).has_table("models")  # first: a program that makes both now commits them together
        schema = version(connection)
        foreign = schema is None and has_models
    if schema == NEXT:
        log.warning(f"the catalog has schema {NEXT}, this modelsync {HEAD}: they go together, a further one will not; update modelsync")
    if schema in (HEAD, NEXT) or (schema is None and read_only):
        return schema is not None
    if schema is None and not foreign:
        upgrade(engine)
        return True
    if foreign:
        raise DatabaseError("The database has a table `models` of another program", "Use a database, or a Postgres schema, of its own")
    if str(schema) > HEAD:
        raise _newer(str(schema))
    raise DatabaseError(f"The catalog has schema {schema}, this modelsync needs {HEAD}", "Back it up, then run: modelsync db upgrade")


def _newer(schema: str) -> DatabaseError:
    return DatabaseError(f"The catalog (schema {schema}) is newer than this modelsync ({HEAD})", "Nothing was touched; update modelsync")


def refuse_unknown(schema: str) -> None:
    """DatabaseError for a version that is newer than this program, or none of its own."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "modelsync:database/migrations")
    if schema > HEAD:
        raise _newer(schema)
    if schema not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
        raise DatabaseError(f"The catalog has schema {schema}, which this modelsync does not know", "Nothing was touched")


def upgrade(engine: sa.Engine) -> None:
    """Apply all migrations, in one transaction; a second program doing the same waits and then finds nothing to do."""
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", "modelsync:database/migrations")
    with MIGRATING, engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7290511)")
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")


def _make_view_again(engine: sa.Engine) -> None:
    """The view as this program has it, whatever somebody made of it."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            with contextlib.suppress(ProgrammingError), connection.begin_nested():
                _make_view(connection)
                return
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view.NAME}")
        _make_view(connection)


def _make_view(connection: sa.Connection) -> None:
    for statement in view.statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def pending_sql(engine: sa.Engine) -> str:
    """The SQL that `upgrade` would run, without running it."""
    import io

    import alembic.command
    import alembic.config

    out = io.StringIO()
    config = alembic.config.Config(output_buffer=out)
    config.set_main_option("script_location", "modelsync:database/migrations")
    with engine.connect() as connection, connection.begin():
        config.attributes["dialect"] = connection.dialect.name
        schema = version(connection)
    with MIGRATING:
        alembic.command.upgrade(config, f"{schema}:head" if schema else "head", sql=True)
    return out.getvalue()


class Schema:
    """The schema of the database at an address, for `modelsync db`. Opens it without requiring that it is up to date."""

    head = HEAD

    def __init__(self, address: str) -> None:
        url = engine_module.parse_url(address)
        self.shown = engine_module.shown(url)
        self._url = url

    def version(self) -> str | None:
        """The version found, None for an empty or missing database."""
        with self._engine(read_only=True) as engine, engine.connect() as connection, connection.begin():
            return version(connection)

    def upgrade(self) -> tuple[str | None, str]:
        """Apply what is missing; the version before and after. DatabaseError for a database newer than this program."""
        before = self.version()
        if before is not None and before > HEAD:
            raise _newer(before)
        with self._engine(read_only=False) as engine:
            if before != HEAD:
                upgrade(engine)
            else:
                _make_view_again(engine)
        return before, HEAD

    def pending_sql(self) -> str:
        """The SQL that `upgrade` would run."""
        with self._engine(read_only=True) as engine:
            return pending_sql(engine)

    @contextmanager
    def _engine(self, *, read_only: bool) -> Iterator[sa.Engine]:
        engine = engine_module.create(self._url, read_only=read_only)
        try:
            with explaining(self.shown):
                yield engine
        finally:
            engine.dispose()
