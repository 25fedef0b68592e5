"""Rows of `users`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.rights import Role
from app.store.access_tables import users


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in unless `disabled_at`."""

    name: str
    role: Role
    password: str = field(repr=False)
    """As app/access/passwords.py has it."""
    created_at: datetime
    disabled_at: datetime | None


def every(connection: Connection) -> list[User]:
    """By name; there are few."""
    return [from_row(row) for row in connection.execute(sa.select(users).order_by(users.c.name))]


def is_any(connection: Connection) -> bool:
    """Whether there is one, be it one who is disabled."""
    return connection.execute(sa.select(users.c.name).limit(1)).first() is not None


def find(connection: Connection, name: str, *, to_change: bool = False) -> User | None:
    """The one of this name; `to_change`: nobody else changes it until the transaction ends."""
    query = sa.select(users).where(users.c.name == name)
    row = connection.execute(query.with_for_update() if to_change else query).first()
    return from_row(row) if row else None


def insert(connection: Connection, name: str, role: Role, password: str) -> None:
    """A new one. Raises IntegrityError where the name is taken."""
    values = {"name": name, "role": role, "password": password, "created_at": datetime.now(UTC)}
    connection.execute(users.insert().values(**values))


def change(connection: Connection, name: str, **values: object) -> None:
    """Other values from now on."""
    connection.execute(users.update().where(users.c.name == name).values(**values))


def from_row(row: sa.Row[tuple[object, ...]]) -> User:
    """Of a query for all columns of the table, be it among others."""
    fields = {each.name: row._mapping[each] for each in users.c}
    return User(**fields | {"role": Role(fields["role"])})
