"""What persons and expiring pins did, written in the transaction that does it: rows of `audit_log`, which nobody changes afterwards."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from modelsync.database.schema import audit_log

SYNC = "sync"
"""Who acts where nobody does: a listing, or the time."""


def note(connection: sa.Connection, action: str, target: str, actor: str, reason: str, now: datetime) -> None:
    """One act, such as `pin` of `groq llama-3 pricing_prompt`."""
    note_all(connection, action, (target,), actor, reason, now)


def note_all(connection: sa.Connection, action: str, targets: Iterable[str], actor: str, reason: str, now: datetime) -> None:
    """The same act on several things."""
    rows = [{"at": now, "actor": actor, "action": action, "target": target, "reason": reason} for target in targets]
    if rows:
        connection.execute(sa.insert(audit_log), rows)
