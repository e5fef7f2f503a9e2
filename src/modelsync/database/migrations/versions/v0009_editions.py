"""What tells two states of a catalog apart that counted to the same revision."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column for the state of providers."""
    op.add_column(
        "provider_state", sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
    )
