"""The people to greet, read in pages by key."""

import gc
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.greeting import Customer
from app.store.tables import customers

_PAGE = "SELECT id, mobile, name, gender FROM customers WHERE id > {0} AND id <= {0} ORDER BY id LIMIT {0}"

# PyMySQL takes every value apart in Python, and that is most of what a campaign costs. A page packed by the server
# into one value is read five times as fast. U+001E ends a customer, the last one too, and U+001F parts the fields; a
# page that holds either in its data, or that the server cut off (group_concat_max_len, max_allowed_packet), does not
# come out even and is read again the plain way.
_PACKED_PAGE = f"""
SELECT COUNT(*), GROUP_CONCAT(
    CONCAT_WS('\x1f', id, mobile, name, IFNULL(gender, '')), '\x1e' SEPARATOR ''
) FROM ({_PAGE.format("%s")}) AS page
"""  # noqa: S608  built of constants


def max_id(connection: Connection) -> int:
    """The highest id, 0 for an empty table. Read from the end of the primary key, so it costs the same at any size."""
    return connection.execute(sa.select(sa.func.max(customers.c.id))).scalar_one() or 0


def collect_rarely() -> None:
    """Let the garbage collector run once in some pages; call it in a process that reads many.

    A page is tens of thousands of tuples without a cycle among them. At its default, once in 700 objects, the collector
    took a quarter of the time.
    """
    gc.set_threshold(100_000)


def page(connection: Connection, after_id: int, to_id: int, limit: int) -> list[Customer]:
    """The first `limit` customers with `after_id < id <= to_id`, in id order.

    Rows come as the driver's own tuples: a campaign reads every customer, and row objects would double the cost.
    """
    bounds = (after_id, to_id, limit)
    if connection.dialect.driver == "pymysql":
        packed = _fetch(connection, _PACKED_PAGE, bounds)
        if (rows := _unpack(*packed[0])) is not None:
            return rows
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    return cast(list[Customer], list(_fetch(connection, _PAGE.format(mark), bounds)))


def _fetch(connection: Connection, statement: str, values: tuple[int, ...]) -> Any:
    return connection.exec_driver_sql(statement, values).cursor.fetchall()


def _unpack(count: int, packed: str | None) -> list[Customer] | None:
    """The customers of a packed page; None when it does not hold `count` customers of four fields each."""
    if not count:
        return []
    *whole, rest = (packed or "").split("\x1e")
    records = [record.split("\x1f") for record in whole]
    if rest or len(records) != count or set(map(len, records)) != {4}:
        return None
    rows = [(int(number), mobile, name, _GENDERS[gender]) for number, mobile, name, gender in records]
    rows.sort(
        key=itemgetter(0)
    )  # they come in order, but GROUP_CONCAT promises none; to have the server sort them costs much more
    return rows


_GENDERS: dict[str, int | None] = {"": None} | {str(value): value for value in range(-128, 128)}
"""What a TINYINT looks like as text."""
