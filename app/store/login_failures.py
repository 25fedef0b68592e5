"""Rows of `login_failures`: how often who was wrong in a row."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.access_tables import login_failures as table


def held(connection: Connection, hashes: Sequence[str], now: datetime) -> dict[str, tuple[int, datetime]]:
    """How often each of these was wrong, and when last; nobody else changes it until the transaction ends. Who was
    never wrong has a 0 from now on."""
    statement = table.insert().prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")
    statement = statement.prefix_with("OR IGNORE", dialect="sqlite")
    connection.execute(statement, [{"hash": each, "count": 0, "last_at": now} for each in sorted(hashes)])
    query = sa.select(table).where(table.c.hash.in_(hashes)).order_by(table.c.hash)
    return {row.hash: (row._mapping[table.c.count], row.last_at) for row in connection.execute(query.with_for_update())}


def count(connection: Connection, hashes: Sequence[str], now: datetime) -> None:
    """They are wrong once more, until it is known better."""
    wrong = table.update().where(table.c.hash.in_(hashes))
    connection.execute(wrong.values(count=table.c.count + 1, last_at=now))


def take_back(connection: Connection, hash_: str) -> None:
    """One of them was right."""
    connection.execute(table.update().where(table.c.hash == hash_, table.c.count > 0).values(count=table.c.count - 1))


def forget(connection: Connection, hash_: str) -> None:
    """They begin anew."""
    connection.execute(table.delete().where(table.c.hash == hash_))


def forget_old(connection: Connection, before: datetime) -> None:
    """Nobody remembers."""
    connection.execute(table.delete().where(table.c.last_at < before))
