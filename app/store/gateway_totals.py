"""Rows of `gateway_totals`: what went over each gateway."""

import socket
from collections import Counter
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.traffic import Traffic
from app.store import literals
from app.store.gateway_tables import gateway_totals

RECEIVERS = 16
"""Seats of those who receive: each host has one, and some share one."""


def receivers_seat() -> int:
    """That of whoever receives on this host."""
    return -1 - crc32(socket.gethostname().encode()) % RECEIVERS


def add(connection: Connection, gateway: str, seat: int, traffic: Traffic) -> None:
    """So much more; the last thing in its transaction, for whoever has the same seat waits for that. In one order, so
    that no two wait for each other."""
    of = f"{literals.name(connection, gateway)},{seat:d}"
    rows = [f"({of},'{name}',{by:d})" for name, by in sorted(traffic.items()) if by]
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        if_there = "ON CONFLICT DO UPDATE SET total = total + excluded.total"
    elif getattr(connection.dialect, "is_mariadb", False):
        if_there = "ON DUPLICATE KEY UPDATE total = total + VALUES(total)"
    else:
        if_there = "AS more ON DUPLICATE KEY UPDATE total = gateway_totals.total + more.total"
    # Written out, for the ORM takes longer to make such a statement than the server to carry it out.
    connection.exec_driver_sql(
        f"INSERT INTO gateway_totals (gateway, seat, counter, total) VALUES {','.join(rows)} {if_there}"  # noqa: S608
    )


def all_of_them(connection: Connection) -> dict[str, Traffic]:
    """By gateway, all seats together; those without any are not there."""
    columns = gateway_totals.c
    query = sa.select(columns.gateway, columns.counter, sa.func.sum(columns.total))
    found: dict[str, Traffic] = {}
    for gateway, counter, total in connection.execute(query.group_by(columns.gateway, columns.counter)):
        found.setdefault(gateway, Counter())[counter] = int(total)
    return found
