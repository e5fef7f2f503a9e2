"""`modelsync db`: the catalog's tables."""

from typing import Annotated

from cyclopts import App

from modelsync.cli import output
from modelsync.cli.sync import Database, Flag, load
from modelsync.store import Schema

EPILOGUE = "Examples:\n  modelsync db current\n  modelsync db upgrade --sql"

app = App(name="db", help="Create, upgrade and inspect the catalog's database.", help_format="plaintext", help_epilogue=EPILOGUE)


def _schema(database: str | None) -> Schema:
    return Schema(load(database).database_url)


@app.command
def upgrade(*, sql: Annotated[bool, Flag] = False, database: Database = None) -> int:
    """Bring the tables to this program's version, in one transaction. An empty database gets them by itself at the first sync.

    Parameters
    ----------
    sql:
        Only print the SQL that would run.
    """
    schema = _schema(database)
    if sql:
        output.say(output.stdout(), schema.pending_sql())
        return 0
    before, after = schema.upgrade()
    words = "already up to date" if before == after else f"upgraded from {before or 'empty'}"
    output.say(output.stdout(), f"{schema.shown}: schema {after}, {words}")
    return 0


@app.command
def current(*, database: Database = None) -> int:
    """Show the schema version of the database and that of this program. Exit code 1 when they differ."""
    schema = _schema(database)
    found = schema.version()
    output.say(output.stdout(), f"{schema.shown}: schema {found or 'none (empty)'}; this program needs {schema.head}")
    return 0 if found == schema.head else 1
