"""Alembic migrations, applied by `modelsync db upgrade` and by themselves on an empty database."""
