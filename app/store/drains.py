"""Rows of `drains`: gateways that are drained, over which nothing is submitted. What was submitted goes on: answers and
receipts come, and are put on record.

Who intends a chunk reads the row in the statement that does so, and holds it for reading until the commit: once a drain
is committed, nothing more is intended. The row of a gateway that sends is there before, for where there is none the
database would lock the gap, and whoever wants to put one there might wait for ever.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.sentence import Sentence
from app.store.database import insert_new
from app.store.gateway_tables import drains
from app.store.tables import campaigns


class Drain(NamedTuple):
    """Since when a gateway is drained, and by whom."""

    since: datetime
    who: str


def make_sure(connection: Connection, gateway: str) -> None:
    """That a gateway has its row, before anything is intended for it."""
    if connection.execute(sa.select(drains.c.gateway).where(drains.c.gateway == gateway)).scalar() is None:
        insert_new(connection, drains, gateway=gateway, who="")


def lock(connection: Connection, gateway: str) -> Drain | None:
    """How it stands, which stays so until the transaction ends; for who is about to change it."""
    make_sure(connection, gateway)
    query = sa.select(drains.c.since, drains.c.who).where(drains.c.gateway == gateway)
    return _drain(*connection.execute(query.with_for_update()).one())


def hold(connection: Connection, gateway: str) -> Drain | None:
    """The same for who is about to submit: several at once may."""
    query = sa.select(drains.c.since, drains.c.who).where(drains.c.gateway == gateway)
    row = connection.execute(query.with_for_update(read=True)).one_or_none()
    return _drain(*row) if row else None


def put(connection: Connection, gateway: str, drain: Drain | None) -> None:
    """Of a gateway that has its row."""
    since, who = (drain.since, drain.who[:128]) if drain else (None, "")
    connection.execute(drains.update().where(drains.c.gateway == gateway).values(since=since, who=who))


def every(connection: Connection) -> dict[str, Drain]:
    """Those that are drained."""
    rows = connection.execute(sa.select(drains).where(drains.c.since.is_not(None)))
    return {row.gateway: Drain(row.since, row.who) for row in rows}


def now(who: str) -> Drain:
    """One that begins."""
    return Drain(datetime.now(UTC), who)


def said(gateway: str, drain: Drain) -> Sentence:
    """Since when, and by whom."""
    return Sentence("gateway_drained", gateway=gateway, since=f"{drain.since:%Y-%m-%d %H:%M} UTC", who=drain.who)


def is_open() -> ColumnElement[bool]:
    """The gateway of the campaign in the statement around it is not drained. Inside an UPDATE: see above."""
    return ~sa.exists().where(drains.c.gateway == campaigns.c.gateway, drains.c.since.is_not(None))


def _drain(since: datetime | None, who: str) -> Drain | None:
    return Drain(since, who) if since else None
