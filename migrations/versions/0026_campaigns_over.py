"""Campaigns that have been over for a short time are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

INDEX = "ix_campaigns_finished_at"


def upgrade() -> None:
    if INDEX not in _indexes():  # a step that died on its way can be run again
        op.create_index(INDEX, "campaigns", ["finished_at"])


def downgrade() -> None:
    if INDEX in _indexes():
        op.drop_index(INDEX, "campaigns")


def _indexes() -> set[str | None]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("campaigns")}
