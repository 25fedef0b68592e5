"""The database schema and its history, on Alembic."""
