"""Rows of `hosts`: which processes are there, on which host, and what they have in hand."""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.clock import lease_s, now_ms
from app.store.database import insert_new
from app.store.tables import hosts

FORGET_AFTER_MS = 24 * 3600 * 1000
"""Nobody asks for so long where a process is that does not say any more that it is there."""

DEAD_AFTER_MS = 10 * 60 * 1000
"""Who was silent for so long is not waited for. It is far more than a lease: a restart, a database that is away and a
disk that is put right take minutes."""

SERVER, WORKER = "server", "worker"
LEFT = "left"
"""One that stopped in order, and is nobody's any more; see `living_folders`."""


@dataclass(frozen=True, slots=True)
class Process:
    """One that says now and then that it is there."""

    host: str
    process: str
    kind: str
    places: int
    """How many orders it can carry out at once."""
    in_hand: int
    clock_ms: int
    """By how much its host's clock is ahead of the database's."""
    seen_ms: int
    """Unix time, by the database."""
    folder: str | None
    """The name of its folder of logs; '' where it has none, None where it does not say."""
    is_alive: bool


def beat(
    connection: Connection, host: str, process: str, kind: str, places: int, in_hand: int, folder: str | None = None
) -> None:
    """It is there."""
    before_ms = time.time_ns() // 1_000_000
    seen_ms = int(connection.execute(sa.select(now_ms(connection))).scalar_one())
    clock_ms = (before_ms + time.time_ns() // 1_000_000) // 2 - seen_ms
    values: dict[str, object] = {
        "kind": kind,
        "places": places,
        "in_hand": in_hand,
        "clock_ms": clock_ms,
        "seen_ms": seen_ms,
        "folder": folder,
    }
    of = sa.and_(hosts.c.host == host, hosts.c.process == process)
    if connection.execute(hosts.update().where(of).values(**values)).rowcount == 0:
        insert_new(connection, hosts, host=host, process=process, **values)
        is_back = sa.and_(hosts.c.host == host, hosts.c.kind == LEFT, hosts.c.folder == folder)
        connection.execute(hosts.delete().where(sa.or_(is_back, hosts.c.seen_ms < seen_ms - FORGET_AFTER_MS)))


def leave(connection: Connection, host: str, process: str) -> None:
    """It is not there any more; where its logs lie is kept for a while."""
    of = sa.and_(hosts.c.host == host, hosts.c.process == process)
    connection.execute(hosts.update().where(of).values(kind=LEFT, places=0, in_hand=0))


def known(connection: Connection) -> list[Process]:
    """All that did not stop in order, by host."""
    since_ms = now_ms(connection) - int(lease_s(connection) * 1000)
    is_alive = sa.case((hosts.c.seen_ms >= since_ms, 1), else_=0).label("is_alive")
    query = sa.select(hosts, is_alive).where(hosts.c.kind != LEFT).order_by(hosts.c.host, hosts.c.process)
    rows = connection.execute(query)
    return [Process(**{**row._mapping, "is_alive": bool(row.is_alive)}) for row in rows]


def places(connection: Connection) -> int:
    """How many orders all workers that are alive can carry out at once."""
    return sum(each.places for each in known(connection) if each.is_alive and each.kind == WORKER)


def living_folders(connection: Connection) -> set[str] | None:
    """The folders of logs of all processes that are not dead: of those that show signs of life or did so until minutes
    ago, and of those that stopped in order, for as long as they are remembered. None where that says nothing of others:
    nobody who writes logs is alive, or one is of a release that does not say where."""
    if not any(each.is_alive and each.places and each.folder for each in known(connection)):
        return None
    since_ms = now_ms(connection) - max(DEAD_AFTER_MS, int(lease_s(connection) * 1000))
    is_not_dead = sa.or_(hosts.c.seen_ms >= since_ms, hosts.c.kind == LEFT)
    found = set(connection.execute(sa.select(hosts.c.folder).where(is_not_dead).distinct()).scalars())
    return None if None in found else found - {""}


def folders(connection: Connection) -> set[str] | None:
    """The folders of logs of all workers that are alive. None where there may be others: no worker is there yet, or one
    is of a release that does not say."""
    workers = [each for each in known(connection) if each.is_alive and each.kind == WORKER]
    found = {each.folder for each in workers if each.folder is not None}
    return found - {""} if workers and all(each.folder is not None for each in workers) else None
