"""The people to greet, read in pages by key."""

import gc
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import mysql

from app.domain.greeting import PLACEHOLDERS, Customer, is_placeholder
from app.store.tables import customers

# A table that somebody made himself may hold NULL where ours does not.
_PAGE = (
    "SELECT id, IFNULL(mobile, '') AS mobile, IFNULL(name, '') AS name, gender{columns}"
    " FROM customers WHERE id > {mark} AND id <= {mark} ORDER BY id LIMIT {mark}"
)

# PyMySQL takes every value apart in Python, and that is most of what a campaign costs. A page packed by the server
# into one value is read five times as fast. U+001E ends a customer, the last one too, and U+001F parts the fields; a
# page that holds either in its data, or that the server cut off (group_concat_max_len, max_allowed_packet), does not
# come out even and is read again the plain way.
_PACKED_PAGE = """
SELECT COUNT(*), GROUP_CONCAT(
    CONCAT_WS('\x1f', id, mobile, name, IFNULL(gender, ''){names}), '\x1e' SEPARATOR ''
) FROM ({page}) AS page
"""


_NO_TEXT = (sa.LargeBinary, sa.BINARY, sa.VARBINARY, mysql.BIT, sa.types.NullType)
"""Types whose values say nothing to people; NullType is what SQLAlchemy does not know, as GEOMETRY."""


def columns(connection: Connection) -> list[str]:
    """The columns that a template may name besides mobile and name, those of ours and those that somebody added."""
    return [
        each["name"]
        for each in sa.inspect(connection).get_columns(customers.name)
        if is_placeholder(each["name"]) and each["name"] not in PLACEHOLDERS and not isinstance(each["type"], _NO_TEXT)
    ]


def max_id(connection: Connection) -> int:
    """The highest id, 0 for an empty table. Read from the end of the primary key, so it costs the same at any size."""
    return connection.execute(sa.select(sa.func.max(customers.c.id))).scalar_one() or 0


def count(connection: Connection, after_id: int, to_id: int) -> int:
    """How many there are with `after_id < id <= to_id`; see `counts`."""
    return counts(connection, [(after_id, to_id)])[0]


def counts(connection: Connection, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """How many there are in each range `after_id < id <= to_id`. Each statement is to see the same rows.

    Where no id is missing it is enough to count the whole table, which MySQL and SQLite do in a quarter of the time
    that the same rows take as ranges: 0.2 s for a million.
    """
    if not ranges:
        return []
    lowest = connection.execute(sa.select(sa.func.min(customers.c.id))).scalar_one()
    if lowest is None:
        return [0] * len(ranges)
    highest = max_id(connection)
    in_all = connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one()
    if in_all == highest - lowest + 1:
        return [max(0, min(to_id, highest) - max(after_id, lowest - 1)) for after_id, to_id in ranges]
    return [_count(connection, *each) for each in ranges]


def _count(connection: Connection, after_id: int, to_id: int) -> int:
    query = sa.select(sa.func.count()).select_from(customers).where(customers.c.id > after_id, customers.c.id <= to_id)
    return connection.execute(query).scalar_one()


def collect_rarely() -> None:
    """Let the garbage collector run once in some pages; call it in a process that reads many.

    A page is tens of thousands of tuples without a cycle among them. At its default, once in 700 objects, the collector
    took a quarter of the time.
    """
    gc.set_threshold(100_000)


def page(connection: Connection, after_id: int, to_id: int, limit: int, columns: Sequence[str] = ()) -> list[Customer]:
    """The first `limit` customers with `after_id < id <= to_id`, in id order, each with these columns as text.

    `columns` are checked names: they become part of the statement. Text is what the server makes of a value.

    Rows come as the driver's own tuples: a campaign reads every customer, and row objects would double the cost.
    """
    bounds = (after_id, to_id, limit)
    text = "TEXT" if connection.dialect.name == "sqlite" else "CHAR"
    quote = connection.dialect.identifier_preparer.quote_identifier
    # With the table's name before it: SQLite takes a quoted name that it does not know for a string.
    shown = [f", IFNULL(CAST(customers.{quote(each)} AS {text}), '') AS x{at}" for at, each in enumerate(columns)]
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    plain = _PAGE.format(columns="".join(shown), mark=mark)
    if connection.dialect.driver == "pymysql":
        names = "".join(f", x{at}" for at in range(len(columns)))
        ((rows_there, packed),) = _fetch(connection, _PACKED_PAGE.format(page=plain, names=names), bounds)
        if (rows := _unpack(rows_there, packed, len(columns))) is not None:
            return rows
    return cast(list[Customer], list(_fetch(connection, plain, bounds)))


def _fetch(connection: Connection, statement: str, values: tuple[int, ...]) -> Any:
    return connection.exec_driver_sql(statement, values).cursor.fetchall()


def _unpack(count: int, packed: str | None, extra: int = 0) -> list[Customer] | None:
    """The customers of a packed page; None when it does not hold `count` customers of four fields and `extra` each."""
    if not count:
        return []
    *whole, rest = (packed or "").split("\x1e")
    records = [record.split("\x1f") for record in whole]
    if rest or len(records) != count or set(map(len, records)) != {4 + extra}:
        return None
    rows: list[Customer]
    if extra:
        rows = [(int(number), mobile, name, _GENDERS[gender], *rest) for number, mobile, name, gender, *rest in records]
    else:
        rows = [(int(number), mobile, name, _GENDERS[gender]) for number, mobile, name, gender in records]
    rows.sort(
        key=itemgetter(0)
    )  # they come in order, but GROUP_CONCAT promises none; to have the server sort them costs much more
    return rows


_GENDERS: dict[str, int | None] = {"": None} | {str(value): value for value in range(-128, 128)}
"""What a TINYINT looks like as text."""
