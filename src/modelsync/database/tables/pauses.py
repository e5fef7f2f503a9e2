"""The rows of `pauses`: while there is one, no sync of any provider begins or commits."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from modelsync.database.schema import pauses, provider_state
from modelsync.database.tables import events
from modelsync.model.records import RecordedPause

COPIED = "copied to "
"""How the reason begins of a pause that `modelsync db copy` made; the rest says where the catalog is now."""


def standing(connection: sa.Connection) -> RecordedPause | None:
    """The pause that stands; of several the latest, which says where a catalog is that was paused before it was copied."""
    query = sa.select(pauses.c.at, pauses.c.actor, pauses.c.reason).order_by(pauses.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return RecordedPause(at=row.at, actor=row.actor, reason=row.reason) if row is not None else None


def pause(connection: sa.Connection, actor: str, reason: str, now: datetime) -> bool:
    """Keep every sync out, those that are under way included; whether they were not kept out already."""
    slugs = _locked(connection)
    if standing(connection) is not None:
        return False
    _begin(connection, slugs, actor, reason, now)
    return True


def leave(connection: sa.Connection, actor: str, where: str, now: datetime) -> int | None:
    """Keep every sync out of a catalog that is copied to `where`, beside a pause that stands; the number of this pause.

    None when such a pause stands already.
    """
    slugs, reason = _locked(connection), COPIED + where
    if connection.execute(sa.select(sa.exists().where(pauses.c.reason == reason))).scalar_one():
        return None
    return _begin(connection, slugs, actor, reason, now)


def stay(connection: sa.Connection, number: int, actor: str, where: str, now: datetime) -> None:
    """Take back the pause of this number, because nothing was copied; another one still stands."""
    if connection.execute(sa.delete(pauses).where(pauses.c.id == number).returning(pauses.c.id)).all():
        _audit(connection, "resume", actor, f"nothing was {COPIED}{where}", now)


def resume(connection: sa.Connection, actor: str, reason: str, now: datetime) -> bool:
    """Let every provider sync again; whether they were paused."""
    resumed = bool(connection.execute(sa.delete(pauses).returning(pauses.c.id)).all())
    if resumed:
        _audit(connection, "resume", actor, reason, now)
    return resumed


def _locked(connection: sa.Connection) -> Sequence[str]:
    """Every provider that was ever synced; nobody else commits on them before this transaction ends."""
    query = sa.select(provider_state.c.provider).order_by(provider_state.c.provider).with_for_update()
    return connection.execute(query).scalars().all()


def _begin(connection: sa.Connection, slugs: Sequence[str], actor: str, reason: str, now: datetime) -> int:
    number = connection.execute(sa.insert(pauses).values(at=now, actor=actor, reason=reason).returning(pauses.c.id)).scalar_one()
    under_way = provider_state.c.provider.in_(slugs)
    connection.execute(sa.update(provider_state).where(under_way).values(ticket_token=None, ticket_until=None, ticket_run_id=None))
    _audit(connection, "pause", actor, reason, now)
    return int(number)


def _audit(connection: sa.Connection, action: str, actor: str, reason: str, now: datetime) -> None:
    events.note(connection, action, "all providers", actor, reason, now)
