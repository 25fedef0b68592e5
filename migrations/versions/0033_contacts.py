"""Whether gateways can be reached, as those say who use them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0033"
down_revision = "0032"

EXACT_NAME = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("gateway", EXACT_NAME, primary_key=True),
        sa.Column("seat", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("is_up", sa.Boolean, nullable=False),
        sa.Column("under_way", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("seen_ms", sa.BigInteger, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("contacts", if_exists=True)
