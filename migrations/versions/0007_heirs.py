"""Whose number a duplicate has, and who got the message instead of whoever was to get it.

Campaigns from before know neither: their duplicates stay what they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for name in ("keepers", "numbers"):
        if name not in _columns():  # a step that died on its way can be run again
            op.add_column("duplicates", sa.Column(name, sa.LargeBinary))
    op.create_table(
        "heirs",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("keeper_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("heir_id", sa.BigInteger),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("heirs", if_exists=True)
    for name in sorted(_columns() & {"keepers", "numbers"}):
        op.drop_column("duplicates", name)


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("duplicates")}
