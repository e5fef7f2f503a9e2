"""What stood of held prices when a person decided about them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column for holds."""
    op.add_column("holds", sa.Column("stood", JSONB().with_variant(sa.Text(), "sqlite")))
