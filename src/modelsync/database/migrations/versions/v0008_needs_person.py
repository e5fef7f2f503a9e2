"""Holds that no rule ends until the provider says something else."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MOVE_MARKS = {
    "sqlite": "UPDATE holds SET needs_person = (status = 'open'), detail = nullif(json_remove(detail, '$.reopened'), '{}') "
    "WHERE kind IN ('shrink', 'other-catalog') AND json_extract(detail, '$.reopened') IS NOT NULL",
    "postgresql": "UPDATE holds SET needs_person = (status = 'open'), detail = nullif(detail - 'reopened', CAST('{}' AS JSONB)) "
    "WHERE kind IN ('shrink', 'other-catalog') AND detail -> 'reopened' IS NOT NULL",
}


def upgrade() -> None:
    """One more column for holds, instead of a mark in the detail of absences."""
    op.add_column("holds", sa.Column("needs_person", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(_MOVE_MARKS[op.get_context().dialect.name])
