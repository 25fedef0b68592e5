"""People who log in, those who are logged in, and how often who was wrong."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0023"
down_revision = "0022"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
TEXT = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("name", EXACT, primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME),
        if_not_exists=True,
        **TEXT,
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("user", EXACT, sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        if_not_exists=True,
        **TEXT,
    )
    op.create_table(
        "login_failures",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        if_not_exists=True,
        **TEXT,
    )
    for table, column in (("sessions", "user"), ("sessions", "seen_at"), ("login_failures", "last_at")):
        name = f"ix_{table}_{column}"
        if name not in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes(table)}:
            op.create_index(name, table, [column])


def downgrade() -> None:
    for table in ("login_failures", "sessions", "users"):
        op.drop_table(table, if_exists=True)
