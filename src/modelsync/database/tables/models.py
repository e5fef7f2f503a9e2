"""Writing a plan: rows, their upstream values and their history, inside a transaction of the caller."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from modelsync.database import rows
from modelsync.database.bulk import BulkWriter
from modelsync.database.parts import in_parts
from modelsync.database.schema import last_prices, upstream_values
from modelsync.database.tables import providers
from modelsync.errors import DatabaseError
from modelsync.model.points import split
from modelsync.planning.layers import Upstream
from modelsync.planning.plan import Change, ChangeKind, Plan


def write(connection: sa.Connection, bulk: BulkWriter, run_id: int, provider_id: int, plan: Plan, seq: int, now: datetime) -> None:
    """Everything that a plan changes, in bulk."""
    _write_upstream(connection, provider_id, plan.upstream)
    _write_last_prices(connection, provider_id, plan.last, now)
    if not plan.written:
        return
    added = [change for change in plan.written if change.kind is ChangeKind.ADDED]
    others = [change for change in plan.written if change.kind is not ChangeKind.ADDED]
    for changes, bulk_write in ((added, bulk.insert_models), (others, bulk.upsert_models)):
        written = bulk_write(connection, (rows.incoming(change, provider_id, seq, now) for change in changes)) if changes else 0
        if written != len(changes):
            raise DatabaseError(f"{len(changes)} rows to write, {written} written", "Nothing was changed; report this")
    history = (change for change in plan.written if _is_history(change))
    facts = ((run_id, provider_id, change.id, change.kind.value, rows.change_fields(change), now) for change in history)
    bulk.insert_changes(connection, facts)
    if any(_touches_abilities(change) for change in plan.changes):
        providers.derive_abilities(connection, provider_id)


def _write_upstream(connection: sa.Connection, provider_id: int, upstream: Mapping[str, Upstream | None]) -> None:
    for part in in_parts(sorted(upstream)):
        mine = upstream_values.c.provider_id == provider_id, upstream_values.c.provider_model_id.in_(part)
        connection.execute(sa.delete(upstream_values).where(*mine))
        upstream_rows = [rows.upstream_row(provider_id, row_id, values) for row_id in part if (values := upstream[row_id]) is not None]
        if upstream_rows:
            connection.execute(sa.insert(upstream_values), upstream_rows)


def _write_last_prices(
    connection: sa.Connection, provider_id: int, last: Mapping[str, Mapping[str, Decimal | None]], now: datetime
) -> None:
    """Remember prices that stand no more, since now, and forget those that stand again."""
    column = last_prices.c
    keys = {(row_id, *split(point)): usd for row_id, points in sorted(last.items()) for point, usd in sorted(points.items())}
    for row_id, field, condition in keys:
        mine = (column.provider_id == provider_id, column.provider_model_id == row_id)
        connection.execute(sa.delete(last_prices).where(*mine, column.field == field, column.condition == condition))
    new = [
        {"provider_id": provider_id, "provider_model_id": row_id, "field": field, "condition": condition, "usd": usd, "since": now}
        for (row_id, field, condition), usd in keys.items()
        if usd is not None
    ]
    if new:
        connection.execute(sa.insert(last_prices), new)


def _touches_abilities(change: Change) -> bool:
    """Whether a change can make a provider support more or less than before."""
    return change.kind in (ChangeKind.ADDED, ChangeKind.REVIVED, ChangeKind.RETIRED) or any(
        field.field.startswith("supports_") or field.field in ("is_active", "output_modalities") for field in change.fields
    )


def _is_history(change: Change) -> bool:
    return bool(change.fields) or change.kind is not ChangeKind.UPDATED
