"""The people to greet, read in pages by key: `customers`, or another table or view that a campaign names.

`audience` is everywhere its name, which is checked (app/domain/audience.py) and quoted.
"""

import gc
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import mysql

from app.domain.audience import CUSTOMERS
from app.domain.choice import is_most_of_its_range
from app.domain.greeting import PLACEHOLDERS, is_placeholder
from app.domain.moments import in_zone
from app.domain.people import People
from app.store import literals
from app.store.columns import Id
from app.store.database import fetch, fetch_packed, zone_of
from app.store.tables import customers

# A table that somebody made by hand may hold NULL where ours does not.
_PAGE = (
    "SELECT id, IFNULL(mobile, '') AS mobile, IFNULL(name, '') AS name, gender{columns}"
    " FROM {audience} WHERE id > {mark} AND id <= {mark}{among} ORDER BY id{limited}"
)

# PyMySQL takes every value apart in Python, and that is most of what a campaign costs. Columns that the server packed
# into one value each are read five times as fast. A page that holds the separator in its data does not come out even;
# it is read again the plain way, as is one that the server cut off (group_concat_max_len).
_SEPARATOR = "\x1e"
_PACKED_PAGE = "SELECT COUNT(*), {lists} FROM ({page}) AS page"
_PACKED = f"GROUP_CONCAT({{}} SEPARATOR '{_SEPARATOR}')"


_ASKED_AT_ONCE = 1_000

_NO_TEXT = (sa.LargeBinary, sa.BINARY, sa.VARBINARY, mysql.BIT, sa.types.NullType)
"""Types whose values say nothing to people; NullType is what SQLAlchemy does not know, as GEOMETRY."""


@lru_cache(maxsize=64)
def table_of(audience: str) -> sa.TableClause:
    """What every audience has, for statements that SQLAlchemy writes."""
    others = (sa.column(each, sa.String()) for each in ("name", "mobile"))
    name = sa.sql.quoted_name(audience, quote=audience != CUSTOMERS)
    return sa.table(name, sa.column("id", Id), sa.column("gender", sa.Integer()), *others)


def quoted(connection: Connection, name: str) -> str:
    """A name for a statement that we write ourselves; our own table's needs no quotes."""
    return name if name == CUSTOMERS else connection.dialect.identifier_preparer.quote_identifier(name)


def columns(connection: Connection, audience: str, added: Collection[str] = ()) -> list[str]:
    """The columns that a template may name besides mobile and name: those of our own schema, and of those that
    somebody added the ones in `added`, for the table may have a `password_hash`."""
    shown = {*customers.columns.keys(), *added} - {*PLACEHOLDERS}
    return [
        each["name"]
        for each in sa.inspect(connection).get_columns(audience)
        if each["name"] in shown and is_placeholder(each["name"]) and not isinstance(each["type"], _NO_TEXT)
    ]


def max_id(connection: Connection, audience: str) -> int:
    """The highest id, 0 for an empty table. Read from the end of the primary key, so it costs the same at any size."""
    return connection.execute(sa.select(sa.func.max(table_of(audience).c.id))).scalar_one() or 0


def extent(connection: Connection, audience: str) -> tuple[int, int]:
    """The lowest and the highest id, 1 and 0 for an empty table. Read from both ends of the primary key at once."""
    its_id = table_of(audience).c.id
    lowest, highest = connection.execute(sa.select(sa.func.min(its_id), sa.func.max(its_id))).one()
    return (1, 0) if lowest is None else (lowest, highest)


def next_id(connection: Connection, audience: str, after_id: int) -> int | None:
    """The lowest id above this one, None where there is none; one look into the primary key."""
    its_id = table_of(audience).c.id
    query = sa.select(sa.func.min(its_id)).where(its_id > after_id)
    found: int | None = connection.execute(query).scalar_one()
    return found


def count_below(connection: Connection, audience: str) -> int:
    """How many have an id below 1, as a table of somebody's own may have."""
    there = table_of(audience)
    query = sa.select(sa.func.count()).select_from(there).where(there.c.id < 1)
    return connection.execute(query).scalar_one()


def count(connection: Connection, audience: str, after_id: int, to_id: int) -> int:
    """How many there are with `after_id < id <= to_id`; see `counts`."""
    return counts(connection, audience, [(after_id, to_id)])[0]


def counts(connection: Connection, audience: str, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """How many there are in each range `after_id < id <= to_id`. Each statement is to see the same rows.

    Where no id is missing it is enough to count the whole table, which MySQL and SQLite do in a quarter of the time
    that the same rows take as ranges: 0.2 s for a million.
    """
    if not ranges:
        return []
    there = table_of(audience)
    lowest = connection.execute(sa.select(sa.func.min(there.c.id))).scalar_one()
    if lowest is None:
        return [0] * len(ranges)
    highest = max_id(connection, audience)
    in_all = connection.execute(sa.select(sa.func.count()).select_from(there)).scalar_one()
    if in_all == highest - lowest + 1:
        return [max(0, min(to_id, highest) - max(after_id, lowest - 1)) for after_id, to_id in ranges]
    return [
        in_all if after_id < lowest and to_id >= highest else count_range(connection, audience, after_id, to_id)
        for after_id, to_id in ranges
    ]


def count_range(connection: Connection, audience: str, after_id: int, to_id: int) -> int:
    """The same for a range that is a small part of the table."""
    there = table_of(audience)
    query = sa.select(sa.func.count()).select_from(there).where(there.c.id > after_id, there.c.id <= to_id)
    return connection.execute(query).scalar_one()


def ids_between(connection: Connection, audience: str, after_id: int, to_id: int) -> list[int]:
    """Of everybody with `after_id < id <= to_id`, in order."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    there = quoted(connection, audience)
    return _ids(connection, f"SELECT id FROM {there} WHERE id > {mark} AND id <= {mark} ORDER BY id", (after_id, to_id))  # noqa: S608


def ids_after(connection: Connection, audience: str, after_id: int, limit: int) -> list[int]:
    """The first `limit` above this one, in order."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    there = quoted(connection, audience)
    return _ids(connection, f"SELECT id FROM {there} WHERE id > {mark} ORDER BY id LIMIT {mark}", (after_id, limit))  # noqa: S608


def _ids(connection: Connection, query: str, values: tuple[int, ...]) -> list[int]:
    """What the query selects, in order; packed into one value where that is read sooner, see _PACKED_PAGE."""
    if _is_packed(connection):
        packed = f"SELECT COUNT(*), GROUP_CONCAT(id) FROM ({query}) AS page"  # noqa: S608
        if row := fetch_packed(connection, packed, values):
            return sorted(map(int, row[1].split(","))) if row[0] else []
    return [row[0] for row in fetch(connection, query, values)]


def ids_among(connection: Connection, audience: str, ids: Sequence[int]) -> Iterator[int]:
    """Those of these, ascending, that are there."""
    there = quoted(connection, audience)
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        listed = literals.numbers(ids[at : at + _ASKED_AT_ONCE])
        yield from (row[0] for row in fetch(connection, f"SELECT id FROM {there} WHERE id IN ({listed})"))  # noqa: S608


def some(connection: Connection, audience: str, ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """Id, mobile and name of each of these who is there."""
    there = table_of(audience)
    found: list[tuple[int, str, str]] = []
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        query = sa.select(there.c.id, there.c.mobile, there.c.name)
        rows = connection.execute(query.where(there.c.id.in_(ids[at : at + _ASKED_AT_ONCE])))
        found += [(row.id, row.mobile or "", row.name or "") for row in rows]
    return found


def collect_rarely() -> None:
    """Let the garbage collector run once in some pages; call it in a process that reads many.

    A page may be tens of thousands of tuples without a cycle among them. At its default, once in 700 objects, the
    collector took a quarter of the time.
    """
    gc.set_threshold(100_000)


def page(
    connection: Connection, audience: str, after_id: int, to_id: int, limit: int, columns: Sequence[str] = ()
) -> People:
    """The first `limit` customers with `after_id < id <= to_id`, each with these columns as text.

    `columns` are checked names: they become part of the statement. Text is what the server makes of a value.
    """
    return _read(connection, audience, after_id, to_id, limit, columns)


def listed(connection: Connection, audience: str, ids: Sequence[int], columns: Sequence[str] = ()) -> People:
    """Those of these ids, ascending, who are there; see `page`."""
    if len(ids) > _ASKED_AT_ONCE and is_most_of_its_range(ids):
        people, wanted = _read(connection, audience, ids[0] - 1, ids[-1], None, columns), {*ids}
        return _each_once(audience, people.where([each in wanted for each in people.ids]))
    read: list[People] = []
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        some = ids[at : at + _ASKED_AT_ONCE]
        read.append(_read(connection, audience, some[0] - 1, some[-1], None, columns, some))
    return _each_once(audience, People.joined(read))


class Pages:
    """Reads the customers up to `to_id` in pages of at most `limit`, each with these columns; see `page`."""

    def __init__(self, audience: str, to_id: int, limit: int, columns: Sequence[str] = ()) -> None:
        self._audience = audience
        self._to_id = to_id
        self._limit = limit
        self._columns = columns
        self._is_dense = True

    def after(self, connection: Connection, last_id: int) -> tuple[People, int]:
        """The next ones after this id, and the id up to which they are everybody."""
        # A LIMIT has the server write a table before it packs it; where most ids are taken, a range does as well.
        if _is_packed(connection) and self._is_dense:
            reached = min(last_id + self._limit, self._to_id)
            people = _read(connection, self._audience, last_id, reached, None, self._columns)
        else:
            people = page(connection, self._audience, last_id, self._to_id, self._limit, self._columns)
            reached = people.ids[-1] if len(people) == self._limit else self._to_id
        self._is_dense = 2 * len(people) > reached - last_id
        return _each_once(self._audience, people), reached


def _each_once(audience: str, people: People) -> People:
    """One for each id: in a view somebody may have come to stand twice since it was looked at."""
    if audience == CUSTOMERS or len(set(people.ids)) == len(people):
        return people
    return people.without([at for at in range(1, len(people)) if people.ids[at] == people.ids[at - 1]])


def _is_packed(connection: Connection) -> bool:
    return connection.dialect.driver == "pymysql"


def _read(
    connection: Connection,
    audience: str,
    after_id: int,
    to_id: int,
    limit: int | None,
    columns: Sequence[str],
    among: Sequence[int] = (),
) -> People:
    people = _read_as_stored(connection, audience, after_id, to_id, limit, columns, among)
    if _MOMENTS.isdisjoint(columns) or (zone := zone_of(connection)).key == "UTC":
        return people
    moments = _MOMENTS if audience == CUSTOMERS else _moments(connection, audience)
    shown = zip(columns, people.values, strict=False)  # of nobody there are no columns
    return replace(people, values=tuple(in_zone(each, zone) if name in moments else each for name, each in shown))


_MOMENTS = {name for name, column in customers.columns.items() if isinstance(column.type, sa.TIMESTAMP)}


def _moments(connection: Connection, audience: str) -> set[str]:
    """Those of these names that are moments there, too: only a TIMESTAMP says in which zone it is."""
    found = sa.inspect(connection).get_columns(audience)
    return {each["name"] for each in found if isinstance(each["type"], sa.TIMESTAMP)} & _MOMENTS


def _read_as_stored(
    connection: Connection,
    audience: str,
    after_id: int,
    to_id: int,
    limit: int | None,
    columns: Sequence[str],
    among: Sequence[int],
) -> People:
    text = "TEXT" if connection.dialect.name == "sqlite" else "CHAR"
    there = quoted(connection, audience)
    # With the table's name before it: SQLite takes a quoted name that it does not know for a string.
    shown = [
        f", IFNULL(CAST({there}.{quoted(connection, each)} AS {text}), '') AS x{at}" for at, each in enumerate(columns)
    ]
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    limited, values = ("", (after_id, to_id)) if limit is None else (f" LIMIT {mark}", (after_id, to_id, limit))
    only = f" AND id IN ({','.join(map(str, among))})" if among else ""
    plain = _PAGE.format(audience=there, columns="".join(shown), mark=mark, among=only, limited=limited)
    if _is_packed(connection):
        fields = ("id", "mobile", "name", "IFNULL(gender, '')", *(f"x{at}" for at in range(len(columns))))
        packed = _PACKED_PAGE.format(lists=", ".join(map(_PACKED.format, fields)), page=plain)
        row = fetch_packed(connection, packed, values)
        if row and (people := _unpack(*row)) is not None:
            return people
    return People.of(fetch(connection, plain, values))


def _unpack(count: int, *lists: str | None) -> People | None:
    """The customers of a packed page, one list for each column; None where they are not `count` in each of them."""
    if not count:
        return People.of([])
    columns: list[Sequence[Any]] = [(packed or "").split(_SEPARATOR) for packed in lists]
    if set(map(len, columns)) != {count} or not _GENDERS.keys() >= set(columns[3]):
        return None
    ids = columns[0] = list(map(int, columns[0]))
    columns[3] = list(map(_GENDERS.__getitem__, columns[3]))
    if ids != sorted(ids):  # they come in order, but nothing promises it; to have the server sort them costs much more
        order = sorted(range(count), key=ids.__getitem__)
        columns = [[column[place] for place in order] for column in columns]
    return People.by_column(columns)


_GENDERS: dict[str, int | None] = {"": None} | {str(value): value for value in range(-128, 128)}
"""What a TINYINT looks like as text."""
