"""What is remembered of the rows of each provider's last listing, and how many models have a price."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, one index."""
    document = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "known_rows",
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("digests", sa.LargeBinary, nullable=False),
        sa.Column("kinds", sa.LargeBinary, nullable=False),
        sa.Column("incomplete", document, nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_known_rows"),
    )
    priced = sa.text("status <> 'retired' AND pricing <> '{}'")
    op.create_index("ix_models_priced", "models", ["provider_id"], sqlite_where=priced, postgresql_where=priced)
