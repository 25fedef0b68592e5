"""Alembic's entry: runs the steps over the connection that schema.py hands in."""

from alembic import context

from app.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # MySQL commits at every DDL statement anyway
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
