"""Shards of those who came too late for the others: a list of customers instead of everybody in a range."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    if "late" not in _columns():  # a step that died on its way can be run again
        op.add_column("shards", sa.Column("late", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "late",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("not_sent", sa.LargeBinary, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("late", if_exists=True)
    if "late" in _columns():
        op.drop_column("shards", "late")


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("shards")}
