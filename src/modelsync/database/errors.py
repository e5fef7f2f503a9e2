"""Database drivers' errors, as what happened and what to do."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from modelsync.errors import Conflict, DatabaseError, TooSlow

RIGHTS = "run deploy/postgres/roles.sql (docs/postgres.md)"
"""What gives the roles of a catalog in Postgres their rights."""


@contextmanager
def explaining(shown: str) -> Iterator[None]:
    """Turn a driver's error into a DatabaseError that names the database as `shown` and ends in an instruction."""
    try:
        yield
    except _of_drivers() as error:
        raise explained(error, shown) from error


def _of_drivers() -> tuple[type[Exception], ...]:
    """All that drivers raise. That of Postgres is loaded only where there is such a database: it takes a tenth of a second."""
    postgres = sys.modules.get("psycopg")
    return (DBAPIError, NoneFree, sqlite3.Error, OSError, *([postgres.Error] if postgres else []))


def explained(error: BaseException, shown: str) -> DatabaseError:
    """A driver's error as what happened and what to do; the driver's own text only where it can hold no secret."""
    origin = getattr(error, "orig", None) or error
    text = str(origin)
    if known := _by_code(origin, shown):
        return known
    if any(words in text for words in ("file is not a database", "malformed", "disk image")):
        return DatabaseError(f"{shown} is not a usable SQLite database", "Nothing was written; restore a backup, or name another file")
    if "readonly database" in text or "read-only" in text:
        return DatabaseError(f"{shown} is read-only", "Nothing was written; check the owner and mode of the file and of its folder")
    if "unable to open" in text:
        hint = "Check that its folder exists and can be written, or name another with --database"
        return DatabaseError(f"{shown} cannot be opened", hint)
    if "database or disk is full" in text or "No space left" in text:
        return DatabaseError(f"no space left for {shown}", "Nothing of this provider was written; make room and sync again")
    if "disk I/O error" in text:
        hint = "Nothing of this provider was written; check the disk and the limits on file sizes, and sync again"
        return DatabaseError(f"{shown} cannot be read or written", hint)
    if "database is locked" in text:
        hint = "Nothing was written; end the other program's transaction, then retry"
        return DatabaseError(f"{shown} is locked by another program", hint)
    return _on_the_way(text, shown) or _unexplained(text, error, shown)


def _by_code(error: BaseException, shown: str) -> DatabaseError | None:
    """What the database's own code says, where that is plain."""
    match error:
        case NoneFree():
            return DatabaseError(f"{shown}: all of this program's connections are in use", "Nothing was written; try again in a moment")
        case sqlite3.Error(sqlite_errorname="SQLITE_INTERRUPT"):
            return TooSlow(f"{shown} took longer than it may", "Nothing was written; ask for less at once")
        case OSError(strerror=str(why)):
            hint = "Nothing was written; check that its folder exists and that this user may read and write there, or name another file"
            return DatabaseError(f"{shown} cannot be used ({why})", hint)
    match getattr(error, "sqlstate", None):  # https://www.postgresql.org/docs/current/errcodes-appendix.html
        case "40P01" | "40001":  # deadlock_detected, serialization_failure
            return Conflict(f"{shown}: another transaction was in the way ({type(error).__name__})", "Nothing was written; sync again")
        case "25006":  # read_only_sql_transaction
            return DatabaseError(f"{shown} is read-only", "Nothing was written; name the primary server, and a user who may write")
        case "55P03":  # lock_not_available
            return DatabaseError(f"{shown} is locked by another program", "Nothing was written; end its transaction, then sync again")
        case "42501":  # insufficient_privilege
            why = str(error).splitlines()[0]
            hint = f"Nothing was written; tables are made and upgraded by their owner (modelsync db upgrade). For missing rights {RIGHTS}"
            return DatabaseError(f"{shown}: {why}", hint)
        case "57014":  # query_canceled
            return TooSlow(f"{shown} took longer than it allows", "Nothing was written; raise its statement_timeout, or sync again")
        case _:
            return None


def _on_the_way(text: str, shown: str) -> DatabaseError | None:
    """What keeps this program from a server."""
    if "authentication failed" in text or "no password supplied" in text:
        return DatabaseError(f"{shown} refused the user or password", "Check DATABASE_URL")
    if "certificate" in text and any(words in text for words in ("verify failed", "does not match", "does not exist")):
        hint = "Nothing was written; sslrootcert in DATABASE_URL must name a file with the certificate of the server's CA"
        return DatabaseError(f"{shown}: its certificate cannot be checked", hint)
    if "SSL" in text and "support" in text:
        return DatabaseError(f"{shown} does not speak TLS", "Add ?sslmode=disable to DATABASE_URL if the network between is trusted")
    is_direct = any(end in shown for end in (".supabase.co:", ".supabase.co/"))
    if is_direct and any(words in text for words in ("unreachable", "resolve host", "translate host", "assign requested")):
        hint = "It is reached by IPv6 only; where this machine has none, take the session pooler's address from the same dialog"
        return DatabaseError(f"{shown} cannot be reached", hint)
    return None


def _unexplained(text: str, error: BaseException, shown: str) -> DatabaseError:
    first_line = text.strip().splitlines()[0][:200] if text.strip() else type(error).__name__
    return DatabaseError(f"{shown}: {first_line}", "Nothing was written; check DATABASE_URL, and that the server is running")
