"""Which processes are there, on which host; and what workers on other hosts report to the scheduler."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0019"
down_revision = "0018"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
CHARSET = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("text", sa.Text, nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "hosts",
        sa.Column("host", EXACT, primary_key=True),
        sa.Column("process", EXACT, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("places", "in_hand")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("clock_ms", "seen_ms")),
        if_not_exists=True,
        **CHARSET,
    )


def downgrade() -> None:
    op.drop_table("hosts", if_exists=True)
    op.drop_table("reports", if_exists=True)
