"""What protects a catalog in Postgres: row level security of its tables, and TLS on the way to the server."""

import msgspec
import psycopg
import sqlalchemy as sa

from modelsync.database.engine import LOOPBACK
from modelsync.database.schema import metadata

_OF_THE_WEB = ("anon", "authenticated")
"""Supabase's roles of whoever calls its web API, which serves the schema `public`."""

_TABLES = sa.text("""
    SELECT c.relname AS name, c.relrowsecurity AS secured, ARRAY(
        SELECT CAST(rolname AS text) FROM (SELECT 'public' UNION SELECT rolname FROM pg_roles WHERE rolname = ANY (:web)) who (rolname)
        WHERE has_table_privilege(rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE') ORDER BY 1
    ) AS open_to
    FROM pg_class c WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relname = ANY (:names) ORDER BY 1
""")


class Protection(msgspec.Struct, frozen=True):
    """How many tables a catalog has, those without row level security, roles of the web that this server has, and roles that stand for
    anybody and have a right to one of these tables. `sslmode` is libpq's; None where the server is on this machine.
    """

    tables: int
    unsecured: tuple[str, ...]
    of_the_web: tuple[str, ...]
    open_to: tuple[str, ...]
    sslmode: str | None


def protection(connection: sa.Connection) -> Protection:
    """What protects the catalog that a connection to Postgres is open to."""
    names = {"names": [*metadata.tables, "alembic_version"], "web": list(_OF_THE_WEB)}
    tables = connection.execute(_TABLES, names).all()
    unsecured = [table for table in tables if not table.secured]
    web = connection.execute(sa.text("SELECT rolname FROM pg_roles WHERE rolname = ANY (:web) ORDER BY 1"), {"web": list(_OF_THE_WEB)})
    return Protection(
        tables=len(tables),
        unsecured=tuple(table.name for table in unsecured),
        of_the_web=tuple(web.scalars()),
        open_to=tuple(sorted({role for table in unsecured for role in table.open_to})),
        sslmode=_sslmode(connection),
    )


def _sslmode(connection: sa.Connection) -> str | None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - tells the type checker which driver this is
    if driver.info.host in LOOPBACK or driver.info.host.startswith("/"):
        return None
    return driver.info.get_parameters().get("sslmode", "prefer")
