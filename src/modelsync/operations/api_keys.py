"""Keys that were handed out: only their digests are stored, so that nobody who reads the database can use one."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import api_keys
from modelsync.database.session import Session
from modelsync.database.tables import events
from modelsync.errors import NotThere, UsageError
from modelsync.model.actors import Person, Scope

PREFIX = "msk_"
"""What every key begins with, so that scanners for secrets find it."""

NOTED_EVERY = timedelta(minutes=1)
"""A key's last use is written down this often at most."""

column = api_keys.c


class ApiKeyHolder(msgspec.Struct, frozen=True):
    """Who holds a key, and what it is good for."""

    name: str
    scope: Scope


def digest(key: str) -> str:
    """SHA-256 in hex. Keys are 32 random bytes: there is nothing to guess that a slow hash would keep from being guessed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Keys:
    """The keys of an open store."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, name: str, scope: Scope, person: Person, expires_at: datetime | None = None) -> str:
        """A new key, which is shown this once."""
        if not name.strip():
            raise UsageError("A key needs a name", "Name who will hold it")
        key = PREFIX + secrets.token_urlsafe(32)

        def work(connection: sa.Connection) -> None:
            now = self._session.now(connection)
            if expires_at is not None and expires_at <= now:
                raise UsageError("The key would have expired already", "Give a later time, or none")
            values = {"name": name, "digest": digest(key), "scope": str(scope), "created_at": now, "expires_at": expires_at}
            key_id = connection.execute(sa.insert(api_keys).values(values).returning(column.id)).scalar_one()
            _note(connection, "create key", f"{key_id} {name} ({scope})", person, now)

        self._session.transact(work)
        return key

    def revoke(self, key_id: int, person: Person) -> None:
        """Make a key invalid from now on. NotThere when there is no valid one with this number."""

        def work(connection: sa.Connection) -> None:
            now = self._session.now(connection)
            mine = (column.id == key_id, column.revoked_at.is_(None))
            name = connection.execute(sa.update(api_keys).where(*mine).values(revoked_at=now).returning(column.name)).scalar()
            if name is None:
                raise NotThere(f"There is no valid key {key_id}", "`modelsync keys` lists them")
            _note(connection, "revoke key", f"{key_id} {name}", person, now)

        self._session.transact(work)

    def listed(self) -> list[dict[str, Any]]:
        """Every key, without its digest: id, name, scope, created_at, expires_at, last_used_at, revoked_at."""
        shown = [each for each in api_keys.columns if each.name != "digest"]
        with self._session.reading() as connection:
            return [dict(row) for row in connection.execute(sa.select(*shown).order_by(column.id)).mappings()]

    def valid(self) -> dict[str, ApiKeyHolder]:
        """Who holds which key, by digest; without those that were revoked or have expired."""
        with self._session.reading() as connection:
            good = (column.revoked_at.is_(None), sa.or_(column.expires_at.is_(None), column.expires_at > self._session.now(connection)))
            query = sa.select(column.digest, column.name, column.scope).where(*good)
            return {row.digest: ApiKeyHolder(row.name, Scope.of(row.scope)) for row in connection.execute(query)}

    def note_use(self, key_digest: str) -> None:
        """Write down that the key with this digest was used, unless that was done just now."""

        def work(connection: sa.Connection) -> None:
            now = self._session.now(connection)
            stale = sa.or_(column.last_used_at.is_(None), column.last_used_at < now - NOTED_EVERY)
            connection.execute(sa.update(api_keys).where(column.digest == key_digest, stale).values(last_used_at=now))

        self._session.transact(work)


def _note(connection: sa.Connection, action: str, target: str, person: Person, now: datetime) -> None:
    events.note(connection, action, target, person.name, person.reason, now)
