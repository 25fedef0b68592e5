"""The tables of who may do what, beside those of app/store/tables.py."""

import sqlalchemy as sa

from app.store.columns import ExactName, RowId, UtcTime, metadata

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("name", ExactName, nullable=False, unique=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("used_at", UtcTime),
)
"""What programs show in place of a password. `hash`: see app/access/tokens.py. `scopes`, between blanks. `used_at` is
when it was last shown, to some minutes. Rows stay for good, and so a name in the audit trail is never two tokens'."""
