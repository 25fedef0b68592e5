"""Messages that somebody sent to see whether a gateway works; their receipts are told from others by these."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "trials",
        sa.Column("gateway", EXACT, primary_key=True),
        sa.Column("provider_id", EXACT, primary_key=True),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("trials", if_exists=True)
