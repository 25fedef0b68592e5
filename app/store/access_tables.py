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

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", ExactName, primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(255), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("disabled_at", UtcTime),
)
"""People, see app/domain/rights.py. `password`: see app/access/passwords.py. Rows stay for good, as those of tokens."""

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("user", ExactName, sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False, index=True),
)
"""Who is logged in. `hash` is that of what the browser has. `seen_at` is when they did something, to a minute."""

login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False, index=True),
)
"""How often somebody was wrong in a row: by the hash of a name or an address, for people type passwords into the field
of the name. Removed when they are a day old."""

secret_keys = sa.Table(
    "secret_keys",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
"""See app/store/secret_keys.py. Who can read these can read the customers beside them as well."""

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("who", sa.String(128), primary_key=True),
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("body", sa.String(64), nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("answer", sa.Text),
)
"""See app/store/idempotency.py. `hash` is that of an Idempotency-Key, of who showed it and for what; `body` that of
what they asked with it."""
