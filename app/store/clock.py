"""What time it is by the database, the one clock that all who share it have."""

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection


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


_SIGNED = sa.BigInteger()
"""CAST(… AS SIGNED INTEGER), as MySQL and MariaDB call 64 bits."""
