"""What the gateway was told with the message that an early receipt is of, and says again."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    if not _is_there():  # on MySQL and MariaDB it takes no time, however many rows there are
        op.add_column("early_receipts", sa.Column("reference", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    if _is_there():
        op.drop_column("early_receipts", "reference")


def _is_there() -> bool:
    return "reference" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("early_receipts")}
