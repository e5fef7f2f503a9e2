"""What operators decide, what lies beneath their decisions, which answers are kept, and who is alive."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = JSONB().with_variant(sa.Text(), "sqlite")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Create upstream_values, pins and answers; more columns for runs, holds and the state of providers."""
    op.add_column("sync_runs", sa.Column("heartbeat_at", TIME))
    op.add_column("holds", sa.Column("detail", DOCUMENT))
    op.add_column("holds", sa.Column("agreed_at", TIME))
    op.add_column("provider_state", sa.Column("revision", KEY, nullable=False, server_default="0"))
    for name, kind in (
        ("frozen_at", TIME),
        ("frozen_reason", sa.Text()),
        ("wire_fields", DOCUMENT),
        ("drift", DOCUMENT),
        ("drift_at", TIME),
    ):
        op.add_column("provider_state", sa.Column(name, kind))
    op.create_table(
        "upstream_values",
        sa.Column("provider_id", KEY, sa.ForeignKey("providers.id", name="fk_upstream_values_provider_id_providers"), nullable=False),
        _needed("provider_model_id", sa.Text()),
        _needed("stated", DOCUMENT),
        _needed("believed", DOCUMENT),
        _needed("silent", DOCUMENT),
        sa.PrimaryKeyConstraint("provider_id", "provider_model_id", name="pk_upstream_values"),
    )
    op.create_table(
        "pins",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        _needed("provider", sa.Text()),
        _needed("provider_model_id", sa.Text()),
        _needed("field", sa.Text()),
        sa.Column("value", DOCUMENT),
        sa.Column("beneath", DOCUMENT),
        _needed("author", sa.Text()),
        _needed("reason", sa.Text()),
        _needed("created_at", TIME),
        sa.Column("expires_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_pins"),
        sa.UniqueConstraint("provider", "provider_model_id", "field", name="uq_pins_provider_provider_model_id_field"),
    )
    op.create_table(
        "answers",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("run_id", KEY, sa.ForeignKey("sync_runs.id", name="fk_answers_run_id_sync_runs"), nullable=False),
        _needed("provider", sa.Text()),
        _needed("position", sa.Integer()),
        _needed("endpoint", sa.Text()),
        _needed("url", sa.Text()),
        _needed("scope", sa.Text()),
        _needed("whole", sa.Boolean()),
        _needed("digest", sa.Text()),
        _needed("bytes", KEY),
        _needed("received_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
        sa.UniqueConstraint("run_id", "provider", "position", name="uq_answers_run_id_provider_position"),
    )
    op.create_index("ix_answers_digest", "answers", ["digest"])
    op.create_index("ix_sync_runs_started_at", "sync_runs", ["started_at"])
    op.create_index("ix_sync_results_finished_at", "sync_results", ["finished_at"])
    _only_added_to("audit_log")


def _only_added_to(table: str) -> None:
    """Let every update and every deletion fail, whoever tries."""
    told = f"{table}: rows are only added"
    if op.get_context().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{told}'); END")
        return
    body = f"BEGIN RAISE EXCEPTION '{told}'; END"
    op.execute(f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    events = "UPDATE OR DELETE OR TRUNCATE"
    op.execute(f"CREATE TRIGGER {table}_no_change BEFORE {events} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()")
