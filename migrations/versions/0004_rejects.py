"""Who is not greeted and why, and how many customers a shard had at its trigger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

CUSTOMER = sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "rejects",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("customer_id", CUSTOMER, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    _add(
        sa.Column("rejected", sa.Integer, nullable=False, server_default="0"),
        sa.Column("audience", sa.Integer),
    )
    # What is over before there were rejects: nobody was rejected, and nobody knows who was gone.
    op.execute("UPDATE shards SET audience = sent WHERE state = 'finished' AND audience IS NULL")


def downgrade() -> None:
    for name in sorted(_columns() & {"rejected", "audience"}):
        op.drop_column("shards", name)
    op.drop_table("rejects", if_exists=True)


def _add(*columns: sa.Column[int]) -> None:
    """Those that are missing: a step that died on its way can be run again."""
    for column in columns:
        if column.name not in _columns():
            op.add_column("shards", column)


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("shards")}
