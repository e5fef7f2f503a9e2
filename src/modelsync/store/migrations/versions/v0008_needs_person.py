"""Holds that no rule ends for as long as the provider says the same."""

import sqlalchemy as sa
from alembic import op

from modelsync.store import schema

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column for holds, instead of a mark in the detail of absences."""
    op.add_column("holds", sa.Column("needs_person", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_context().as_sql:
        op.execute("-- the marks of absences are moved by `modelsync db upgrade` only")
    else:
        _move_marks(op.get_bind())


def _move_marks(connection: sa.Connection) -> None:
    """Absences of which a decision was taken back were marked `{"reopened": true}`."""
    column = schema.holds.c
    query = sa.select(column.id, column.status, column.detail).where(
        column.kind.in_(("shrink", "other-catalog")), column.detail.is_not(None)
    )
    for number, status, detail in connection.execute(query).all():
        if "reopened" in detail:
            left = {name: value for name, value in detail.items() if name != "reopened"}
            values = {"needs_person": status == "open", "detail": left or None}
            connection.execute(sa.update(schema.holds).where(column.id == number).values(values))
