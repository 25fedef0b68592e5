"""Which of its gateway's approved templates a campaign is sent by; '' for a text of its own, as all had before."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"

EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    if not _is_there():  # a step that died on its way can be run again
        op.add_column("campaigns", sa.Column("template_name", EXACT, nullable=False, server_default=""))


def downgrade() -> None:
    if _is_there():
        op.drop_column("campaigns", "template_name")


def _is_there() -> bool:
    return "template_name" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
