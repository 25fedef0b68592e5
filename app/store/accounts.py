"""Rows of `accounts`: one rate for all processes and hosts that send over a gateway; and `binds`, its sessions.

The generic cell rate algorithm, with the next free instant as its whole state: whoever wants to send moves it on by
what that costs, and may send when the instant comes that was there before. Source: ITU-T I.371 section A.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.clock import lease_until_ms, now_ms, now_us
from app.store.database import insert_new
from app.store.tables import accounts, binds


class Reserved(NamedTuple):
    """What somebody has spoken for, in seconds."""

    begins: float
    now: float
    """Both by the database's clock."""
    asked: float
    answered: float
    """When the database was asked for `now`, and had answered, by the clock of this machine (time.monotonic)."""


def reserve(connection: Connection, gateway: str, cost_us: Callable[[int], int]) -> Reserved:
    """Speak for the next microseconds of an account; how many, `cost_us` says by how many are spoken for already."""
    query = sa.select(accounts.c.next_free_us).where(accounts.c.gateway == gateway).with_for_update()
    next_free_us: int = connection.execute(query).scalar_one()
    asked = time.monotonic()
    now: int = int(connection.execute(sa.select(now_us(connection))).scalar_one())
    answered = time.monotonic()
    begins_us = max(next_free_us, now)
    until_us = begins_us + cost_us(begins_us - now)
    connection.execute(accounts.update().where(accounts.c.gateway == gateway).values(next_free_us=until_us))
    return Reserved(begins_us / 1e6, now / 1e6, asked, answered)


def make_sure(connection: Connection, gateway: str) -> None:
    """That an account has its row, before anything of it is reserved."""
    if connection.execute(sa.select(accounts.c.gateway).where(accounts.c.gateway == gateway)).scalar() is None:
        insert_new(connection, accounts, gateway=gateway, next_free_us=0)


def new_holder() -> str:
    """A name for who is about to hold something: nobody else's, so that who was killed and who comes after are told
    apart. 64 letters at most."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def take_bind(connection: Connection, gateway: str, most: int, holder: str) -> int | None:
    """One of an account's sessions, 0 to `most - 1`, where one is free; None where all are taken."""
    is_taken = binds.c.lease_until_ms >= now_ms(connection)
    query = sa.select(binds.c.slot, sa.case((is_taken, 1), else_=0)).where(binds.c.gateway == gateway)
    known: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
    until = lease_until_ms(connection)
    for slot in range(most):
        if known.get(slot):
            continue
        if slot not in known:  # an update of what is not there would lock whatever may come there
            if insert_new(connection, binds, gateway=gateway, slot=slot, holder=holder, lease_until_ms=until):
                return slot
            continue
        changed = connection.execute(
            binds.update()
            .where(binds.c.gateway == gateway, binds.c.slot == slot, binds.c.lease_until_ms < now_ms(connection))
            .values(holder=holder, lease_until_ms=until)
        )
        if changed.rowcount == 1:
            return slot
    return None


def binds_in_use(connection: Connection) -> dict[str, int]:
    """How many sessions of each gateway send now; those without any are not there."""
    query = sa.select(binds.c.gateway, sa.func.count()).where(binds.c.lease_until_ms >= now_ms(connection))
    return {row[0]: row[1] for row in connection.execute(query.group_by(binds.c.gateway))}


def keep_bind(connection: Connection, gateway: str, slot: int, holder: str) -> bool:
    """Show a sign of life; False where somebody else has it."""
    until = lease_until_ms(connection)
    is_ours = sa.and_(binds.c.gateway == gateway, binds.c.slot == slot, binds.c.holder == holder)
    return connection.execute(binds.update().where(is_ours).values(lease_until_ms=until)).rowcount == 1


def give_bind_back(connection: Connection, gateway: str, slot: int, holder: str) -> bool:
    """Let it go; False where somebody else has it."""
    is_ours = sa.and_(binds.c.gateway == gateway, binds.c.slot == slot, binds.c.holder == holder)
    return connection.execute(binds.update().where(is_ours).values(lease_until_ms=0)).rowcount == 1
