"""What waits for a person, what persons decided, and the scope in which absence is counted."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = JSONB().with_variant(sa.Text(), "sqlite")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Create holds and audit_log."""
    op.add_column("provider_state", sa.Column("absence_scope", sa.Text()))
    op.add_column("provider_state", sa.Column("outside_scope", DOCUMENT))
    op.create_table(
        "holds",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        _needed("provider", sa.Text()),
        _needed("kind", sa.Text()),
        _needed("status", sa.Text()),
        _needed("message", sa.Text()),
        _needed("hint", sa.Text()),
        _needed("ids", DOCUMENT),
        _needed("times_seen", sa.Integer()),
        _needed("created_at", TIME),
        _needed("last_seen_at", TIME),
        sa.Column("resolved_at", TIME),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_provider", "holds", ["provider", "status"])
    retired = sa.text("kind = 'retired'")
    op.create_index(
        "ix_model_changes_retired", "model_changes", ["provider_id", "changed_at"], sqlite_where=retired, postgresql_where=retired
    )
    op.create_table(
        "audit_log",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        _needed("at", TIME),
        _needed("actor", sa.Text()),
        _needed("action", sa.Text()),
        _needed("target", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
