"""Looks one number up among all opt-outs, whose key begins with the signature. It is built beside who writes."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

INDEX = "ix_opt_outs_mobile"


def upgrade() -> None:
    if INDEX not in _indexes():  # a step that died on its way can be run again
        op.create_index(INDEX, "opt_outs", ["mobile"])


def downgrade() -> None:
    if INDEX in _indexes():
        op.drop_index(INDEX, "opt_outs")


def _indexes() -> set[str | None]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("opt_outs")}
