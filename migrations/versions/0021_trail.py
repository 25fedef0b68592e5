"""Who did what: a row for each deed of people, written in the transaction of the deed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0021"
down_revision = "0020"

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "trail",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("deed", sa.String(32), nullable=False),
        sa.Column("campaign", EXACT, nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("facts_before", sa.Text, nullable=False),
        sa.Column("facts_after", sa.Text, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    name = "ix_trail_campaign"
    if name not in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("trail")}:
        op.create_index(name, "trail", ["campaign"])


def downgrade() -> None:
    op.drop_table("trail", if_exists=True)
