"""What went over each gateway, for its metrics; and which early receipts were counted as nobody's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0032"
down_revision = "0030"

EXACT_NAME = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "gateway_totals",
        sa.Column("gateway", EXACT_NAME, primary_key=True),
        sa.Column("seat", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("counter", EXACT_NAME, primary_key=True),
        sa.Column("total", sa.BigInteger, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    if not _is_there():  # on MySQL and MariaDB it takes no time, however many rows there are
        op.add_column("early_receipts", sa.Column("counted", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    if _is_there():
        op.drop_column("early_receipts", "counted")
    op.drop_table("gateway_totals", if_exists=True)


def _is_there() -> bool:
    return "counted" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("early_receipts")}
