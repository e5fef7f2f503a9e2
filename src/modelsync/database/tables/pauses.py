"""The rows of `pauses`: while there is one, no sync of any provider begins or commits."""

from datetime import datetime

import sqlalchemy as sa

from modelsync.database.schema import pauses, provider_state
from modelsync.database.tables import events
from modelsync.model.records import RecordedPause


def standing(connection: sa.Connection) -> RecordedPause | None:
    """The pause that stands."""
    query = sa.select(pauses.c.at, pauses.c.actor, pauses.c.reason).order_by(pauses.c.id).limit(1)
    row = connection.execute(query).one_or_none()
    return RecordedPause(at=row.at, actor=row.actor, reason=row.reason) if row is not None else None


def pause(connection: sa.Connection, actor: str, reason: str, now: datetime) -> bool:
    """Keep every sync out, those that are under way included; whether they were not kept out already."""
    slugs = connection.execute(sa.select(provider_state.c.provider).order_by(provider_state.c.provider).with_for_update()).scalars().all()
    if standing(connection) is not None:
        return False
    connection.execute(sa.insert(pauses).values(at=now, actor=actor, reason=reason))
    under_way = provider_state.c.provider.in_(slugs)
    connection.execute(sa.update(provider_state).where(under_way).values(ticket_token=None, ticket_until=None, ticket_run_id=None))
    _audit(connection, "pause", actor, reason, now)
    return True


def resume(connection: sa.Connection, actor: str, reason: str, now: datetime) -> bool:
    """Let every provider sync again; whether they were paused."""
    resumed = bool(connection.execute(sa.delete(pauses).returning(pauses.c.id)).all())
    if resumed:
        _audit(connection, "resume", actor, reason, now)
    return resumed


def _audit(connection: sa.Connection, action: str, actor: str, reason: str, now: datetime) -> None:
    events.note(connection, action, "all providers", actor, reason, now)
