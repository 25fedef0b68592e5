"""Rows of `contacts`: whether gateways can be reached, as those say who send and receive."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.sentence import Sentence, read, stored
from app.store.clock import lease_s, now_ms
from app.store.database import insert_new
from app.store.gateway_tables import contacts

AWAY_FOR_MS = 90_000
"""So long it holds that a gateway could not be reached: longer than the pause before the next try."""
MOST_WHY = 2_000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What one who uses a gateway says of it."""

    gateway: str
    seat: int
    is_up: bool
    under_way: int
    why: Sentence | None
    """Why it cannot be reached."""


def tell(
    connection: Connection, gateway: str, seat: int, *, is_up: bool, under_way: int = 0, why: Sentence | None = None
) -> None:
    """It is so now."""
    values = {
        "is_up": is_up,
        "under_way": under_way,
        "why": stored(why, MOST_WHY) if why else "",
        "seen_ms": now_ms(connection),
    }
    # An update of what is not there would lock whatever may come there: two who begin would wait for each other.
    if _is_there(connection, gateway, seat) or not insert_new(
        connection, contacts, gateway=gateway, seat=seat, **values
    ):
        connection.execute(contacts.update().where(*_is(gateway, seat)).values(**values))


def told_ms(connection: Connection, gateway: str, seat: int) -> int:
    """When it was told so last (Unix time); 0 for never."""
    return connection.execute(sa.select(contacts.c.seen_ms).where(*_is(gateway, seat))).scalar() or 0


def leave(connection: Connection, gateway: str, seat: int) -> None:
    """Who had the seat uses the gateway no more; that it could not be reached stays said. The row stays, for whoever
    comes next."""
    if _is_there(connection, gateway, seat):
        connection.execute(contacts.update().where(*_is(gateway, seat), contacts.c.is_up).values(seen_ms=0))


def _is_there(connection: Connection, gateway: str, seat: int) -> bool:
    return connection.execute(sa.select(contacts.c.seat).where(*_is(gateway, seat))).first() is not None


def _is(gateway: str, seat: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return contacts.c.gateway == gateway, contacts.c.seat == seat


def known(connection: Connection) -> list[Contact]:
    """What is said now, and by whom: who says that it is up says so again before a lease is over."""
    columns, now = contacts.c, now_ms(connection)
    is_fresh = sa.case(
        (columns.is_up, columns.seen_ms >= now - int(lease_s(connection) * 1000)),
        else_=columns.seen_ms >= now - AWAY_FOR_MS,
    )
    query = sa.select(contacts).where(is_fresh).order_by(columns.gateway, columns.seat)
    return [
        Contact(row.gateway, row.seat, bool(row.is_up), row.under_way, read(row.why))
        for row in connection.execute(query)
    ]


def whys(connection: Connection) -> dict[str, Sentence]:
    """Why gateways cannot be reached, of those over which nobody can send now."""
    said = known(connection)
    up = are_up(said)
    return {each.gateway: each.why for each in _who_count(said) if each.why and not up[each.gateway]}


def are_up(said: Iterable[Contact]) -> dict[str, bool]:
    """Whether at least one can send over it, of each gateway of which somebody says something; where nobody sends, what
    receivers say counts. Pure."""
    up: dict[str, bool] = {}
    for each in _who_count(said):
        up[each.gateway] = up.get(each.gateway, False) or each.is_up
    return up


def _who_count(said: Iterable[Contact]) -> list[Contact]:
    """A gateway may let us receive and refuse us as senders: who sends knows whether anything goes out. Pure."""
    found = list(said)
    sent_over = {each.gateway for each in found if each.seat >= 0}
    return [each for each in found if each.seat >= 0 or each.gateway not in sent_over]
