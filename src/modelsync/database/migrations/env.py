"""Runs migrations on the connection handed over by `migrate.upgrade`, or prints their SQL."""

from alembic import context

if context.is_offline_mode():
    context.configure(dialect_name=context.config.attributes["dialect"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()
