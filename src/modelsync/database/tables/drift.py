"""What is remembered of the wire: which fields a provider's rows had, and how that moved of late."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import provider_state, time_text
from modelsync.model.records import Drift
from modelsync.planning.drift import Snapshot, merged, moved

STANDS = timedelta(days=7)
"""How long a drift is shown."""

MOST = 50
"""Drifts kept of one provider."""


def messages(state: sa.RowMapping | None, now: Snapshot) -> tuple[str, ...]:
    """How a complete listing's fields moved since the one before, in words."""
    return moved(_before(state), now)


def note(connection: sa.Connection, state: sa.RowMapping, now: Snapshot, drifts: tuple[str, ...], at: datetime, *, whole: bool) -> None:
    """Remember what moved. A listing that is in the catalog as a `whole` is what the next one is compared with."""
    values: dict[str, Any] = {}
    if whole and now.endpoints:
        values["wire_fields"] = msgspec.to_builtins(merged(_before(state), now))
    standing = recent(state, at)
    known = {drift.message for drift in standing}  # a listing that is held says it again
    fresh = [Drift(at, text) for text in drifts if text not in known]
    if fresh:
        values["drift"] = [{"at": time_text(drift.at), "message": drift.message} for drift in (*standing, *fresh)][-MOST:]
        values["drift_at"] = at
    if values:
        connection.execute(sa.update(provider_state).where(provider_state.c.provider == state["provider"]).values(values))


def recent(state: sa.RowMapping, now: datetime) -> tuple[Drift, ...]:
    """The drifts that still stand, oldest first."""
    return tuple(drift for drift in msgspec.convert(state["drift"] or (), tuple[Drift, ...]) if drift.at > now - STANDS)


def _before(state: sa.RowMapping | None) -> Snapshot | None:
    """The listing to compare with; None before the first, and when another version of this program wrote it otherwise."""
    try:
        return msgspec.convert(state["wire_fields"], Snapshot) if state and state["wire_fields"] else None
    except msgspec.ValidationError:
        return None
