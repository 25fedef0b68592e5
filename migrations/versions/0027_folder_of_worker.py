"""Which folder of logs a worker has: without one it carries out no order for a log."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    if not _is_there():
        op.add_column("hosts", sa.Column("folder", sa.String(255)))


def downgrade() -> None:
    if _is_there():
        op.drop_column("hosts", "folder")


def _is_there() -> bool:
    return "folder" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("hosts")}
