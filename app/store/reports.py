"""Rows of `reports`: what workers on other hosts say to the one scheduler, once each."""

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.tables import reports

MOST_AT_ONCE = 500


def insert(connection: Connection, text: str) -> None:
    """A worker is done with an order."""
    connection.execute(reports.insert().values(text=text))


def take(connection: Connection) -> list[str]:
    """The oldest ones, which are gone then."""
    query = sa.select(reports.c.id, reports.c.text).order_by(reports.c.id).limit(MOST_AT_ONCE)
    found = connection.execute(query).all()
    if found:  # these and no others: a lower number may be committed later
        connection.execute(reports.delete().where(reports.c.id.in_([row.id for row in found])))
    return [row.text for row in found]
