"""When the details of a campaign were removed; its counts stay."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"

TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    if "pruned_at" not in _columns():  # a step that died on its way can be run again
        op.add_column("campaigns", sa.Column("pruned_at", TIME))


def downgrade() -> None:
    if "pruned_at" in _columns():
        op.drop_column("campaigns", "pruned_at")


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
