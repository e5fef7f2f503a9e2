"""What serving over HTTP needs: keys that were handed out, and a provider's health as an operator decided it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Create api_keys; one more column for providers, and an index for pages of models."""
    op.create_table(
        "api_keys",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        _needed("name", sa.Text()),
        _needed("digest", sa.Text()),
        _needed("scope", sa.Text()),
        _needed("created_at", TIME),
        sa.Column("expires_at", TIME),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_models_is_active", "models", ["is_active", "provider_id", "provider_model_id"])
    op.add_column("providers", sa.Column("health_pinned", sa.Boolean(), nullable=False, server_default=sa.false()))
