"""What a gateway calls each part of a message that went out as several; the ledger has room for one id."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"

ID = sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")
EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "message_parts",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("customer_id", ID, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("provider_id", EXACT, nullable=False),
        sa.Column("delivered", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id", "customer_id"], ["messages.campaign_id", "messages.customer_id"], ondelete="CASCADE"
        ),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    name = "ix_message_parts_provider_id"
    if name not in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("message_parts")}:
        op.create_index(name, "message_parts", ["provider_id"])


def downgrade() -> None:
    op.drop_table("message_parts", if_exists=True)
