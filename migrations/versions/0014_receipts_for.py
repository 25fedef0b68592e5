"""How long a campaign goes on learning from receipts once it is finished."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    if "receipts_for_s" not in _columns():  # a step that died on its way can be run again
        op.add_column("campaigns", sa.Column("receipts_for_s", sa.Integer, nullable=False, server_default="259200"))


def downgrade() -> None:
    if "receipts_for_s" in _columns():
        op.drop_column("campaigns", "receipts_for_s")


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("campaigns")}
