"""The tables of gateways as people see to them, beside those of app/store/tables.py."""

import sqlalchemy as sa

from app.store.columns import ExactName, UtcTime, metadata

drains = sa.Table(
    "drains",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("since", UtcTime),
    sa.Column("who", sa.String(128), nullable=False, server_default=""),
)
"""See app/store/drains.py. A gateway that sends has its row before it does, whether it is drained or not."""
