"""When each provider is synced by itself."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Columns of `provider_state`, one of `sync_results`, and a table. What was attempted until now counts as ended."""
    for column in (
        sa.Column("schedule", sa.Text),
        sa.Column("schedule_off", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("last_served_at", TIME),
        sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("unended", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", TIME),
    ):
        op.add_column("provider_state", column)
    document = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "workers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("program", sa.Text, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.Column("offers", document, nullable=False),
        sa.Column("syncing", document, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.add_column("sync_results", sa.Column("version", sa.Integer))
    op.execute("UPDATE provider_state SET last_served_at = last_attempt_at")
