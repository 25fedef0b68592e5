"""How long a campaign was halted, and indexes for what is open among many campaigns that are over."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for column in (
        sa.Column("halted_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("halted_since_ms", sa.BigInteger),
    ):
        if column.name not in _columns():  # a step that died on its way can be run again
            op.add_column("campaigns", column)
    for table in ("campaigns", "shards"):
        if _index(table) not in _indexes(table):
            op.create_index(_index(table), table, ["state"])


def downgrade() -> None:
    for table in ("campaigns", "shards"):
        if _index(table) in _indexes(table):
            op.drop_index(_index(table), table)
    for name in sorted(_columns() & {"halted_ms", "halted_since_ms"}):
        op.drop_column("campaigns", name)


def _index(table: str) -> str:
    return f"ix_{table}_state"


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}


def _indexes(table: str) -> set[str | None]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_indexes(table)}
