"""The tables of how gateways do, and of what people do to them, beside those of app/store/tables.py."""

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

gateway_totals = sa.Table(
    "gateway_totals",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("seat", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("counter", ExactName, primary_key=True),
    sa.Column("total", sa.BigInteger, nullable=False),
)
"""What went over a gateway since there is this table; see app/domain/traffic.py for the counters. Who sends has the
number of its session as its `seat`, who receives one below 0: so they do not wait for each other. What is counted moves
in the transaction that puts on record what it counts, and stays when that is removed."""

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("seat", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("is_up", sa.Boolean, nullable=False),
    sa.Column("under_way", sa.Integer, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("seen_ms", sa.BigInteger, nullable=False),
)
"""Whether a gateway could be reached at `seen_ms` (Unix time, by the database) by who sends or receives, in its seat;
`why` not, as app/sentence.py stores it; `under_way` is what had no answer then, as its window counts."""
