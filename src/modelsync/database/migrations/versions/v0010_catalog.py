"""A view for people's own SQL."""

from alembic import op

from modelsync.database.view import statements

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The view `catalog`."""
    for statement in statements(op.get_context().dialect.name):
        op.execute(statement)
