"""How far campaigns were from time to time, for their charts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


INDEX = "ix_progress_samples_at_s"


def upgrade() -> None:
    op.create_table(
        "progress_samples",
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("done_ids", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("moved_at_s", sa.BigInteger, nullable=False),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    there = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("progress_samples")}
    if INDEX not in there:  # a step that died on its way can be run again
        op.create_index(INDEX, "progress_samples", ["at_s"])


def downgrade() -> None:
    op.drop_table("progress_samples", if_exists=True)
