"""Rows of `leases`: what one process of all hosts does at a time, and who that is."""

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.clock import lease_until_ms, now_ms
from app.store.database import insert_new
from app.store.tables import leases


def take(connection: Connection, name: str, holder: str, heir_of: str = "") -> bool:
    """Make the lease `holder`'s, or renew it where it is; whether it is now. It is free where nobody has it, or who had
    it showed no sign of life for so long; or their name begins with `heir_of`, where the caller knows them dead."""
    until_ms = lease_until_ms(connection)
    free = sa.or_(leases.c.holder == holder, leases.c.until_ms < now_ms(connection))
    if heir_of:
        free = sa.or_(free, leases.c.holder.startswith(heir_of, autoescape=True))
    found = connection.execute(sa.select(sa.case((free, 1), else_=0)).where(leases.c.name == name)).scalar()
    if found is None:
        return insert_new(connection, leases, name=name, holder=holder, until_ms=until_ms)
    if not found:  # a look costs nobody a lock
        return False
    changed = connection.execute(
        leases.update().where(leases.c.name == name, free).values(holder=holder, until_ms=until_ms)
    )
    return changed.rowcount == 1


def renew(connection: Connection, name: str, holder: str) -> bool:
    """Show a sign of life; False where somebody else has it."""
    is_ours = sa.and_(leases.c.name == name, leases.c.holder == holder)
    until_ms = lease_until_ms(connection)
    return connection.execute(leases.update().where(is_ours).values(until_ms=until_ms)).rowcount == 1


def held(connection: Connection) -> dict[str, bool]:
    """Those that somebody has and did not give back: whether they show signs of life."""
    is_held = sa.case((leases.c.until_ms >= now_ms(connection), 1), else_=0)
    return {row[0]: bool(row[1]) for row in connection.execute(sa.select(leases.c.name, is_held))}


def give_back(connection: Connection, name: str, holder: str) -> None:
    """The next one need not wait."""
    connection.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))
