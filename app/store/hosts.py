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

SERVER, WORKER = "server", "worker"


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
    }
    values["folder"] = folder
    of = sa.and_(hosts.c.host == host, hosts.c.process == process)
    if connection.execute(hosts.update().where(of).values(**values)).rowcount == 0:
        insert_new(connection, hosts, host=host, process=process, **values)
        connection.execute(hosts.delete().where(hosts.c.seen_ms < seen_ms - FORGET_AFTER_MS))


def leave(connection: Connection, host: str, process: str) -> None:
    """It is not there any more."""
    connection.execute(hosts.delete().where(hosts.c.host == host, hosts.c.process == process))


def known(connection: Connection) -> list[Process]:
    """All, by host."""
    since_ms = now_ms(connection) - int(lease_s(connection) * 1000)
    is_alive = sa.case((hosts.c.seen_ms >= since_ms, 1), else_=0).label("is_alive")
    rows = connection.execute(sa.select(hosts, is_alive).order_by(hosts.c.host, hosts.c.process))
    return [Process(**{**row._mapping, "is_alive": bool(row.is_alive)}) for row in rows]


def places(connection: Connection) -> int:
    """How many orders all workers that are alive can carry out at once."""
    return sum(each.places for each in known(connection) if each.is_alive and each.kind == WORKER)


def living_folders(connection: Connection) -> set[str] | None:
    """The folders of logs of all processes that are alive. None where that says nothing of others: nobody is, or one is
    of a release that does not say."""
    alive = [each.folder for each in known(connection) if each.is_alive]
    return {each for each in alive if each} if alive and None not in alive else None


def folders(connection: Connection) -> set[str] | None:
    """The folders of logs of all workers that are alive. None where there may be others: no worker is there yet, or one
    is of a release that does not say."""
    workers = [each for each in known(connection) if each.is_alive and each.kind == WORKER]
    found = {each.folder for each in workers if each.folder is not None}
    return found - {""} if workers and all(each.folder is not None for each in workers) else None
