"""`modelsync db`: the catalog's tables."""

from pathlib import Path
from typing import Annotated

from cyclopts import App

from modelsync.cli import output
from modelsync.cli.opening import load
from modelsync.cli.parameters import FLAG, Database
from modelsync.database import backup as backups
from modelsync.database.engine import shown_address
from modelsync.database.migrate import Schema

EPILOGUE = "Examples:\n  modelsync db current\n  modelsync db backup before-upgrade.db\n  modelsync db upgrade --sql"
HELP = "Create, upgrade, back up and restore the catalog's database."

app = App(name="db", help=HELP, help_format="plaintext", help_epilogue=EPILOGUE)


def _schema(database: str | None) -> Schema:
    return Schema(load(database).database_url)


@app.command
def upgrade(*, sql: Annotated[bool, FLAG] = False, database: Database = None) -> int:
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
    outcome = "already up to date" if before == after else f"upgraded from {before or 'empty'}"
    output.say(output.stdout(), f"{schema.shown}: schema {after}, {outcome}")
    return 0


@app.command
def current(*, database: Database = None) -> int:
    """Show the schema version of the database and that of this program. Exit code 1 when they differ."""
    schema = _schema(database)
    version = schema.version()
    output.say(output.stdout(), f"{schema.shown}: schema {version or 'none (empty)'}; this program needs {schema.head}")
    return 0 if version == schema.head else 1


@app.command
def backup(file: Path, /, *, database: Database = None) -> int:
    """Copy the catalog into a new file, and check the copy. Syncs may go on meanwhile. For Postgres, say which command does it.

    Parameters
    ----------
    file:
        A file that is not there yet.
    """
    address = load(database).database_url
    _say_copied(backups.backup(address, file), f"{shown_address(address)} is in {file.absolute()}")
    return 0


@app.command
def restore(file: Path, /, *, database: Database = None) -> int:
    """Make a catalog of a backup, where none is; never over another one. For Postgres, say which command does it.

    Parameters
    ----------
    file:
        What `modelsync db backup` made.
    """
    address = load(database).database_url
    copied = backups.restore(address, file)
    _say_copied(copied, f"{file.absolute()} is in {shown_address(address)}")
    if copied.version != Schema.head:
        output.say(output.stdout(), "It was made by an older modelsync. Run: modelsync db upgrade")
    return 0


def _say_copied(copied: backups.Copied, where: str) -> None:
    rows = ", ".join(f"{name} {count:,}" for name, count in copied.rows.items())
    output.say(output.stdout(), f"{where}: schema {copied.version}, integrity ok; rows: {rows}")
