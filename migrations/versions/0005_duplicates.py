"""Who of a campaign shares a mobile number with a lower id. Campaigns from before are left as they are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "duplicates",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    for column in (
        sa.Column("allow_duplicates", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("prepared_at", TIME),
    ):
        if column.name not in _columns():  # a step that died on its way can be run again
            op.add_column("campaigns", column)


def downgrade() -> None:
    for name in sorted(_columns() & {"allow_duplicates", "prepared_at"}):
        op.drop_column("campaigns", name)
    op.drop_table("duplicates", if_exists=True)


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
