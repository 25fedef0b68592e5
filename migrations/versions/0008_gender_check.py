"""A gender is 0, 1 or NULL, where no customer has another; see migrations/gender_check.py."""

from alembic import op

from migrations import gender_check

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    gender_check.add(op.get_bind())


def downgrade() -> None:
    gender_check.remove(op.get_bind())
