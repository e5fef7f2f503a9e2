"""The prices that were believed last, decisions that end model by model, limits for single providers, and a pause for all."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from modelsync.database import schema
from modelsync.model.model import Prices
from modelsync.model.points import numbers, split
from modelsync.model.timeline import RunChange, last_believed, of_belief

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = JSONB().with_variant(sa.Text(), "sqlite")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MONEY = sa.Numeric().with_variant(sa.Text(), "sqlite")


_READ_VERSION = {  # SQLite knows ->> from 3.38 on only
    "sqlite": "UPDATE provider_state SET read_version = coalesce(normalizer_version, json_extract(wire_fields, '$.version'))",
    "postgresql": "UPDATE provider_state SET read_version = coalesce(normalizer_version, CAST(wire_fields ->> 'version' AS INTEGER))",
}


def upgrade() -> None:
    """Create last_prices and pauses, fill the first from history; more columns for holds and the state of providers."""
    op.add_column("holds", sa.Column("over", DOCUMENT))
    for column in (
        sa.Column("absence_place", sa.Text()),
        sa.Column("read_version", sa.Integer()),
        sa.Column("shortfall", KEY, nullable=False, server_default="0"),
        sa.Column("shortfall_listings", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("guard", DOCUMENT),
    ):
        op.add_column("provider_state", column)
    op.create_table(
        "last_prices",
        sa.Column("provider_id", KEY, sa.ForeignKey("providers.id", name="fk_last_prices_provider_id_providers"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("provider_model_id", "field", "condition")),
        sa.Column("usd", MONEY, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "provider_model_id", "field", "condition", name="pk_last_prices"),
    )
    op.create_table(
        "pauses",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pauses"),
    )
    op.execute(_READ_VERSION[op.get_context().dialect.name])
    if op.get_context().as_sql:
        op.execute("-- last_prices is filled from the history by `modelsync db upgrade` only")
    else:
        _fill_last_prices(op.get_bind())


def _fill_last_prices(connection: sa.Connection) -> None:
    """What history says of prices that do not stand any more."""
    change, run = schema.model_changes.c, schema.sync_runs.c
    priced = sa.cast(change.fields, sa.Text).like("%pricing%")
    columns = (change.provider_id, change.provider_model_id, change.changed_at, change.fields, run.trigger)
    query = sa.select(*columns).join(schema.sync_runs, run.id == change.run_id).where(priced)
    ordered = query.order_by(change.provider_id, change.provider_model_id, change.id)
    rows = connection.execute(ordered.execution_options(yield_per=500)).mappings()
    for (provider_id, row_id), changes in groupby(rows, key=lambda row: (row["provider_id"], row["provider_model_id"])):
        found = list(_forgotten(connection, provider_id, row_id, changes))
        if found:
            connection.execute(sa.insert(schema.last_prices), found)


def _forgotten(connection: sa.Connection, provider_id: int, row_id: str, changes: Iterable[Any]) -> Iterator[dict[str, Any]]:
    mine = (schema.models.c.provider_id == provider_id, schema.models.c.provider_model_id == row_id)
    lies = (schema.upstream_values.c.provider_id == provider_id, schema.upstream_values.c.provider_model_id == row_id)
    document = connection.execute(sa.select(schema.models.c.pricing).where(*mine)).scalar_one_or_none()
    beneath = connection.execute(sa.select(schema.upstream_values.c.believed).where(*lies)).scalar_one_or_none()
    if document is None:
        return
    live = numbers(msgspec.convert(beneath["prices"] if beneath else document, Prices))
    told = (RunChange("updated", row["fields"], row["trigger"], row["changed_at"]) for row in changes)
    for point, last in last_believed(of_belief(told)).items():
        if point not in live:
            field, condition = split(point)
            values = {"field": field, "condition": condition, "usd": last.usd, "since": last.since}
            yield {"provider_id": provider_id, "provider_model_id": row_id, **values}
