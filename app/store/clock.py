"""What time it is by the database, the one clock that all who share it have, and how long a lease is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine

LEASE_S = 10.0
"""How long after its last sign of life a holder is taken to be alive, where SMS_LEASE_S says nothing else. It shows one
three times as often."""


def now_us(connection: Connection) -> ColumnElement[Any]:
    """Unix time in microseconds, as a part of a statement. SQLite has no server: there the machine's clock counts,
    which is the same for all who can open the file."""
    if connection.dialect.name == "sqlite":
        return sa.literal(time.time_ns() // 1_000, sa.BigInteger)
    return sa.cast(sa.func.unix_timestamp(sa.func.now(6)) * 1_000_000, _SIGNED)


def now_ms(connection: Connection) -> ColumnElement[Any]:
    """Unix time in milliseconds, as a part of a statement."""
    if connection.dialect.name == "sqlite":
        return sa.literal(time.time_ns() // 1_000_000, sa.BigInteger)
    return sa.cast(sa.func.unix_timestamp(sa.func.now(3)) * 1_000, _SIGNED)


def now_utc(connection: Connection) -> ColumnElement[Any] | datetime:
    """The same as what a column of type UtcTime has, for a statement."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    return sa.func.utc_timestamp(3)


def asked(connection: Connection) -> datetime:
    """What time it is by the database, to the millisecond."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    found: datetime = connection.execute(sa.select(sa.func.utc_timestamp(3))).scalar_one()
    return found.replace(tzinfo=UTC)


def ticking(connection: Connection) -> Callable[[], datetime]:
    """The same, to be asked often and for a while: it goes on by a clock of ours that nobody sets. However long the
    database took to answer, it is never ahead of it: what is due at once by it would not be so there."""
    at = asked(connection)
    since = time.monotonic()
    return lambda: at + timedelta(seconds=time.monotonic() - since)


def lease_s(of: Connection | Engine) -> float:
    """What `open_database` was told, as long as the database is open."""
    return float(of.get_execution_options().get("lease_s", LEASE_S))


def lease_until_ms(connection: Connection) -> ColumnElement[Any]:
    """When a lease ends that begins now, as a part of a statement."""
    return now_ms(connection) + int(lease_s(connection) * 1000)


_SIGNED = sa.BigInteger()
"""CAST(… AS SIGNED INTEGER), as MySQL and MariaDB call 64 bits."""
