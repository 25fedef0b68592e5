"""Which stretch of a shard's ids lies in which folder of logs; until now all of a shard lay in one."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

COUNTS = ("sent", "male", "female", "unknown")
INDEX = "ix_log_parts_folder"
# A log's own folder was its owner. A step that died on its way can be run again.
FILL = """
    INSERT INTO log_parts (campaign_id, shard, number, folder, host, first_id, from_byte)
    SELECT shards.campaign_id, shards.number, 0, shards.owner, '', shards.after_id + 1, 0
    FROM shards JOIN campaigns ON campaigns.id = shards.campaign_id
    WHERE campaigns.gateway = 'log' AND shards.owner <> '' AND NOT EXISTS (
        SELECT 1 FROM log_parts AS known
        WHERE known.campaign_id = shards.campaign_id AND known.shard = shards.number
    )
"""


def upgrade() -> None:
    op.create_table(
        "log_parts",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("folder", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("first_id", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger),
        sa.Column("from_byte", sa.BigInteger, nullable=False),
        sa.Column("to_byte", sa.BigInteger),
        *(sa.Column(each, sa.Integer, nullable=False, server_default="0") for each in COUNTS),
        sa.Column("to_cut", sa.Boolean, nullable=False, server_default=sa.false()),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    if INDEX not in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("log_parts")}:
        op.create_index(INDEX, "log_parts", ["folder", "to_cut"])
    op.execute(FILL)


def downgrade() -> None:
    op.drop_table("log_parts", if_exists=True)
