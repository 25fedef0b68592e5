"""The ledger: a row for each message that went to a gateway which cannot take it back, and what surrounds it.

Campaigns from before have the gateway `log`, and their shards none of it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"

ID = sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
CHARSET = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_COUNTS = ("submitting", "retry", "accepted", "delivered", "undelivered", "expired", "refused", "in_doubt")

_INDEXES = (
    ("messages", "mobile"),
    ("messages", "provider_id"),
    ("early_receipts", "provider_id"),
    ("replies", "mobile"),
)


def upgrade() -> None:
    _add("campaigns", sa.Column("gateway", EXACT, nullable=False, server_default="log"))
    _add("shards", sa.Column("epoch", sa.Integer, nullable=False, server_default="0"))
    _add("shards", sa.Column("intended_id", sa.BigInteger, nullable=False, server_default="0"))
    _add("shards", sa.Column("due_ms", sa.BigInteger, nullable=False, server_default="0"))
    for name in _COUNTS:
        _add("shards", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "messages",
        _campaign_id(),
        sa.Column("customer_id", ID, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("mobile", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("provider_id", EXACT),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("final_at", TIME),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "intents",
        _campaign_id(),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("after_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("to_id", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("mobiles", sa.LargeBinary, nullable=False),
        sa.Column("parts", sa.LargeBinary, nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "early_receipts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("gateway", EXACT, nullable=False),
        sa.Column("provider_id", EXACT, nullable=False),
        sa.Column("mobile", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "replies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("gateway", EXACT, nullable=False),
        sa.Column("mobile", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "opt_outs",
        sa.Column("signature", EXACT, primary_key=True),
        sa.Column("mobile", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "accounts",
        sa.Column("gateway", EXACT, primary_key=True),
        sa.Column("next_free_us", sa.BigInteger, nullable=False, server_default="0"),
        if_not_exists=True,
        **CHARSET,
    )
    op.create_table(
        "binds",
        sa.Column("gateway", EXACT, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
        if_not_exists=True,
        **CHARSET,
    )
    for table, column in _INDEXES:
        if (name := f"ix_{table}_{column}") not in {
            each["name"] for each in sa.inspect(op.get_bind()).get_indexes(table)
        }:
            op.create_index(name, table, [column])


def downgrade() -> None:
    for table in ("binds", "accounts", "opt_outs", "replies", "early_receipts", "intents", "messages"):
        op.drop_table(table, if_exists=True)
    for table, names in (("shards", ("epoch", "intended_id", "due_ms", *_COUNTS)), ("campaigns", ("gateway",))):
        for name in sorted(_columns(table) & {*names}):
            op.drop_column(table, name)


def _campaign_id() -> sa.Column[int]:
    key = sa.ForeignKey("campaigns.id", ondelete="CASCADE")
    return sa.Column("campaign_id", sa.Integer, key, primary_key=True, autoincrement=False)


def _add(table: str, column: sa.Column[object]) -> None:
    if column.name not in _columns(table):  # a step that died on its way can be run again
        op.add_column(table, column)


def _columns(table: str) -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns(table)}
