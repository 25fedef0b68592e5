"""Values written out in statements of our own, for to bind some hundreds takes longer than to carry them out."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

UNCACHED = {"compiled_cache": None}
"""Execution options of a statement with values written out: it does not come again."""
LONGEST = 64
"""Characters of a name that are kept."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:+-]+")
"""Names that are written out as they are; a gateway may send any octets."""


def numbers(values: Iterable[int]) -> str:
    """With commas between them. Raises TypeError for what is no int."""
    return ",".join(map(int.__repr__, values))


def among(column: ColumnElement[int], values: Iterable[int]) -> ColumnElement[bool]:
    """Whether the column has one of these values, which must not be none; execute it UNCACHED."""
    return column.op("IN", is_comparison=True)(sa.literal_column(f"({numbers(values)})"))


def name(connection: Connection, value: str) -> str:
    """A text, cut at LONGEST."""
    value = value[:LONGEST]
    if not value or _PLAIN.fullmatch(value):
        return f"'{value}'"
    digits = value.encode().hex()
    if connection.dialect.name == "sqlite":
        return f"CAST(x'{digits}' AS TEXT)"
    return f"CONVERT(x'{digits}' USING utf8mb4)"


def names(connection: Connection, values: Sequence[str]) -> list[str]:
    """Each of them, NULL for an empty one."""
    if all(values) and max(map(len, values), default=0) <= LONGEST and _PLAIN.fullmatch("".join(values)):
        return [f"'{each}'" for each in values]
    return [name(connection, each) if each else "NULL" for each in values]


def now(connection: Connection) -> str:
    """What time it is by the database; see `moment`."""
    return moment(datetime.now(UTC)) if connection.dialect.name == "sqlite" else "UTC_TIMESTAMP(3)"


@lru_cache(maxsize=64)  # a batch was submitted at one moment
def moment(at: datetime) -> str:
    """In UTC, to the millisecond; as app/store/tables.py keeps moments."""
    return f"'{at.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'milliseconds')}000'"
