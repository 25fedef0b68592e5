"""The database schema and its history, on Alembic."""

from app.early import leave_quietly

leave_quietly()
