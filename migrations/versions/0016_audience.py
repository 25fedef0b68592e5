"""Which table or view a campaign greets; `customers`, as all did before."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    if not _is_there():  # a step that died on its way can be run again
        op.add_column("campaigns", sa.Column("audience", EXACT, nullable=False, server_default="customers"))


def downgrade() -> None:
    if _is_there():
        op.drop_column("campaigns", "audience")


def _is_there() -> bool:
    return "audience" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
