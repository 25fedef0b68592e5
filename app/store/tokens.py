"""Rows of `tokens`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.rights import Scope
from app.store.access_tables import tokens


@dataclass(frozen=True, slots=True)
class Token:
    """One of them; the token itself is nowhere."""

    id: int
    name: str
    hash: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def is_in_force(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def every(connection: Connection) -> list[Token]:
    """The oldest first; there are few."""
    return [_from_row(row) for row in connection.execute(sa.select(tokens).order_by(tokens.c.id))]


def find(connection: Connection, name: str, *, to_change: bool = False) -> Token | None:
    """The one of this name; `to_change`: nobody else changes it until the transaction ends."""
    query = sa.select(tokens).where(tokens.c.name == name)
    row = connection.execute(query.with_for_update() if to_change else query).first()
    return _from_row(row) if row else None


def insert(
    connection: Connection, name: str, hash_: str, scopes: Collection[Scope], expires_at: datetime | None
) -> None:
    """A new one. Raises IntegrityError where the name is taken."""
    values = {"name": name, "hash": hash_, "scopes": " ".join(sorted(scopes)), "expires_at": expires_at}
    connection.execute(tokens.insert().values(created_at=datetime.now(UTC), **values))


def revoke(connection: Connection, token_id: int) -> None:
    """From now on it opens nothing."""
    connection.execute(tokens.update().where(tokens.c.id == token_id).values(revoked_at=datetime.now(UTC)))


def note_used(connection: Connection, ids: Collection[int]) -> None:
    """They were shown by now."""
    connection.execute(tokens.update().where(tokens.c.id.in_(sorted(ids))).values(used_at=datetime.now(UTC)))


def _from_row(row: sa.Row[tuple[object, ...]]) -> Token:
    fields = dict(row._mapping)
    return Token(**fields | {"scopes": _scopes(str(fields["scopes"]))})


def _scopes(text: str) -> frozenset[Scope]:
    """Those that we know: of one that a later release gave, a token has here what is known of it."""
    return frozenset(Scope(each) for each in text.split() if each in {*Scope})
