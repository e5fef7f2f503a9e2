"""Copying a whole catalog into another database. One transaction in the target, every row compared: all of it is there, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext

import msgspec

from modelsync.database import copying, engine, migrate
from modelsync.database.copying import Side
from modelsync.database.session import Session
from modelsync.database.tables import pauses
from modelsync.errors import DatabaseError, UsageError
from modelsync.model.records import RecordedPause

Watch = Callable[[str, str, int], None]
"""Told of each table when its rows are "copied" and when they are "compared", with their number; of "nothing" when all was undone."""


class CopiedCatalog(msgspec.Struct, frozen=True):
    """What was copied from where to where, the rows of each table, and whether the source is paused since.

    The `pause` is one that stood in the source before, and so stands in the copy as well.
    """

    source: str
    target: str
    schema: str
    rows: dict[str, int]
    paused: bool
    pause: RecordedPause | None


def copy_catalog(source: str, target: str, actor: str, *, keep: bool, watch: Watch) -> CopiedCatalog:
    """Copy the catalog at an address, with all its history, into an empty database; its tables are made there.

    No sync commits into the source any more, from before it is read on: unless it is to `keep` its place, it is paused for good.
    UsageError when both are one database. DatabaseError when there is no catalog, one of the two has an older or newer schema, the target
    has a row, or anything fails on the way: then the target has no row, and a pause that was made here is taken back.
    """
    _refuse_one_database(source, target)
    names = engine.shown_address(source), engine.shown_address(target)
    if _version(source) is None:
        raise DatabaseError(f"There is no catalog in {names[0]}", "Nothing was touched; name one with --database, or in DATABASE_URL")
    if _version(target) is not None:
        _refuse_filled(source, target)
    with closing(_opened(source, keep=keep)) as old, closing(Session.open(target, {})) as new:
        with nullcontext() if keep else _left(old, new.shown, actor), _telling(old, new, watch):
            rows, pause = _copied(old, new, watch)
        return CopiedCatalog(*names, migrate.HEAD, rows, not keep, pause)


def _copied(old: Session, new: Session, watch: Watch) -> tuple[dict[str, int], RecordedPause | None]:
    """The rows of each table that are in both now, and the pause that came along."""
    with old.reading() as snapshot, new.writing() as transaction:
        source, target = Side(old, snapshot), Side(new, transaction)
        for side in (source, target):
            copying.see_all(side)
            if migrate.version(side.connection) != migrate.HEAD:
                raise DatabaseError(f"somebody changed the schema of {side.session.shown} just now", copying.LEFT)
        copying.keep_others_out(target)
        if (table := copying.first_filled(target)) is not None:
            raise DatabaseError(f"somebody wrote into {new.shown} just now ({table})", copying.LEFT)
        rows = {}
        for each in copying.TABLES:
            rows[each.name] = copying.copy_rows(source, target, each)
            watch("copied", each.name, rows[each.name])
        for each in copying.TABLES:
            watch("compared", each.name, copying.compare_rows(source, target, each))
        return rows, pauses.standing(transaction)


# Before


def _refuse_one_database(source: str, target: str) -> None:
    """UsageError for two addresses of one file, or for a file that SQLite keeps beside the source."""
    theirs, ours = engine.files_of(source), engine.files_of(target)
    if ours and ours[0] in theirs:
        raise _one_database(target)


def _one_database(target: str) -> UsageError:
    return UsageError(f"{engine.shown_address(target)} is where the catalog is already", "Nothing was touched; name another with --to")


def _version(address: str) -> str | None:
    """The version of the catalog there, None without one. DatabaseError for another than this program's."""
    schema = migrate.Schema(address)
    version = schema.version()
    if version is not None and version != migrate.HEAD:
        migrate.refuse_unknown(version)
        hint = f"Nothing was touched. Back it up, then run `modelsync db upgrade` for {schema.shown}"
        raise DatabaseError(f"The catalog in {schema.shown} has schema {version}, this modelsync needs {migrate.HEAD}", hint)
    return version


def _refuse_filled(source: str, target: str) -> None:
    """DatabaseError when the target's catalog has a row; UsageError when it is the source's, whatever its server was called."""
    with closing(Session.open(source, {}, read_only=True)) as old, closing(Session.open(target, {}, read_only=True)) as new:
        with old.reading() as theirs, new.reading() as ours:
            if old.dialect == new.dialect and old.bulk.place(theirs) == new.bulk.place(ours):
                raise _one_database(target)
            table = copying.first_filled(Side(new, ours))
        if table is not None:
            hint = "Nothing was touched; name an empty database with --to"
            raise DatabaseError(f"{new.shown} is not empty ({table} has rows), and a copy never overwrites", hint)


def _opened(source: str, *, keep: bool) -> Session:
    """The source, to be written only for its pause."""
    try:
        return Session.open(source, {}, read_only=keep)
    except DatabaseError as error:
        if keep:
            raise
        raise _not_paused(error) from error


def _not_paused(error: DatabaseError) -> DatabaseError:
    return DatabaseError(
        f"The catalog cannot be paused: {error.message}",
        "Nothing was copied. With --keep it is copied without a pause, and syncs go on there",
    )


# After


@contextmanager
def _left(old: Session, where: str, actor: str) -> Iterator[None]:
    """Pause the source for good; not if the block fails."""
    try:
        number = old.transact(lambda connection: pauses.leave(connection, actor, where, old.now(connection)))
    except DatabaseError as error:
        raise _not_paused(error) from error
    try:
        yield
    except BaseException:
        if number is not None:
            _let_stay(old, number, where, actor)
        raise


def _let_stay(old: Session, number: int, where: str, actor: str) -> None:
    try:
        old.transact(lambda connection: pauses.stay(connection, number, actor, where, old.now(connection)))
    except DatabaseError as error:
        hint = 'It is still paused: `modelsync resume --reason "…"` lets it sync again'
        raise DatabaseError(f"Nothing was copied, and then the pause could not be taken back: {error.message}", hint) from error


@contextmanager
def _telling(old: Session, new: Session, watch: Watch) -> Iterator[None]:
    """Say of whatever ends the block early that nothing was copied."""
    try:
        yield
    except DatabaseError as error:
        hint = f"{new.shown} has no row of it, and {old.shown} is as it was. Mend that, then copy again"
        raise DatabaseError(f"Nothing was copied: {error.message}", hint) from error
    except KeyboardInterrupt:
        watch("nothing", "", 0)
        raise
