"""Rows of `sessions`."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store import users
from app.store.access_tables import sessions
from app.store.access_tables import users as users_table
from app.store.users import User


def insert(connection: Connection, hash_: str, user: str, address: str) -> None:
    """A new one, seen now."""
    now = datetime.now(UTC)
    values = {"hash": hash_, "user": user, "address": address[:64], "created_at": now, "seen_at": now}
    connection.execute(sessions.insert().values(**values))


def find(connection: Connection, hash_: str) -> tuple[User, datetime] | None:
    """Whose it is, and when they were seen."""
    both = sa.select(users_table, sessions.c.seen_at).join(sessions, sessions.c.user == users_table.c.name)
    row = connection.execute(both.where(sessions.c.hash == hash_)).first()
    return (users.from_row(row), row.seen_at) if row else None


def seen_since(connection: Connection, since: datetime) -> frozenset[str]:
    """Hashes of those in which somebody did something since then, but for users who are disabled."""
    both = sa.select(sessions.c.hash).join(users_table, sessions.c.user == users_table.c.name)
    found = both.where(sessions.c.seen_at >= since, users_table.c.disabled_at.is_(None))
    return frozenset(connection.execute(found).scalars())


def see(connection: Connection, hash_: str) -> None:
    """They did something."""
    connection.execute(sessions.update().where(sessions.c.hash == hash_).values(seen_at=datetime.now(UTC)))


def remove(connection: Connection, hash_: str) -> None:
    """They left."""
    connection.execute(sessions.delete().where(sessions.c.hash == hash_))


def remove_of(connection: Connection, user: str) -> int:
    """They have to leave, wherever they are logged in; how many there were."""
    return connection.execute(sessions.delete().where(sessions.c.user == user)).rowcount


def remove_unseen(connection: Connection, since: datetime) -> None:
    """Nobody was seen there since then."""
    connection.execute(sessions.delete().where(sessions.c.seen_at < since))
