"""A campaign may be for some of its audience alone: which of them, and ids that wait to be named by a trigger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    if not _is_there():  # a step that died on its way can be run again
        op.add_column("campaigns", sa.Column("chosen", EXACT, nullable=False, server_default=""))
    op.create_table(
        "chosen",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "id_lists",
        sa.Column("name", EXACT, primary_key=True),
        sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("id_lists", if_exists=True)
    op.drop_table("chosen", if_exists=True)
    if _is_there():
        op.drop_column("campaigns", "chosen")


def _is_there() -> bool:
    return "chosen" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
