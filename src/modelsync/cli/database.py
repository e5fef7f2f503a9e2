"""`modelsync db`: the catalog's tables, and the catalog as a whole."""

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from modelsync.cli import output
from modelsync.cli.opening import load
from modelsync.cli.parameters import FLAG, Database, Json
from modelsync.cli.stopping import at_ctrl_c
from modelsync.database import backup as backups
from modelsync.database.engine import shown_address
from modelsync.database.migrate import Schema
from modelsync.operations.moving import CopiedCatalog, copy_catalog

EPILOGUE = """Examples:
  modelsync db current
  modelsync db backup before-upgrade.db
  modelsync db upgrade --sql
  modelsync db copy --to postgresql://user@host/db"""
HELP = "Create, upgrade, back up, restore and copy the catalog's database."

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


@app.command
def copy(
    *,
    to: Annotated[str, Parameter(help="Address of an empty database, SQLite or Postgres; its tables are made.")],
    keep: Annotated[bool, FLAG] = False,
    json: Json = False,
    database: Database = None,
) -> int:
    """Copy the catalog with all its history into an empty database, SQLite or Postgres, and compare every row. All or nothing.

    The old one is paused for good, and whoever still syncs into it is told where it went. Leases and runs under way stay behind.

    Parameters
    ----------
    keep:
        The old one stays in use; nothing is written there.
    """
    source = load(database).database_url
    watch = _unwatched if json else _told
    with at_ctrl_c("Stopped. The new database has no row. Should syncs be paused still: modelsync resume"):
        copied = copy_catalog(source, to, getpass.getuser(), keep=keep, watch=watch)
    if json:
        output.print_json({"version": 1, **msgspec.structs.asdict(copied)})
        return 0
    _say_where(copied)
    return 0


def _say_where(copied: CopiedCatalog) -> None:
    console = output.stdout()
    where = f"{copied.source} is in {copied.target}"
    output.say(console, f"{where}: schema {copied.schema}, every row compared; rows: {_counted(copied.rows)}")
    if copied.pause is not None:
        by = output.safe(f"{copied.pause.actor}, {copied.pause.reason}")
        output.say(console, f'The copy is paused as the catalog was ({by}): `modelsync resume --reason "…"` there')
    if copied.paused:
        output.say(console, f"Nobody syncs into {copied.source} any more. Set DATABASE_URL to the new address wherever it is used.")
    else:
        output.say(console, f"{copied.source} stays in use; what changes there from now on is not in the copy.")


def _told(what: str, table: str, rows: int) -> None:
    """Progress for people."""
    done = f"{table}: {rows:,} rows {what}" if table else "Nothing was copied; the catalog is as it was."
    output.say(output.stderr(), done)


def _unwatched(_what: str, _table: str, _rows: int) -> None:
    """Progress for nobody."""


def _say_copied(copied: backups.Copied, where: str) -> None:
    output.say(output.stdout(), f"{where}: schema {copied.version}, integrity ok; rows: {_counted(copied.rows)}")


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in rows.items())
