"""Which gateways are drained: nothing is submitted over them until somebody activates them again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0029"
down_revision = "0028"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "drains",
        sa.Column("gateway", EXACT, primary_key=True),
        sa.Column("since", MOMENT),
        sa.Column("who", sa.String(128), nullable=False, server_default=""),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("drains", if_exists=True)
