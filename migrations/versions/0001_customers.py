"""The people to greet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column(
            "id",
            sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("gender", sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")),
        sa.Column("mobile", sa.String(20), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(), nullable=False, server_default=sa.func.current_timestamp()),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("customers", if_exists=True)
