"""Mobile numbers of everyone in a range of ids, in bulk, and who of some has no name; for whoever compares them all."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.dedupe.packed_numbers import END, Numbers, Packing, from_rows, join
from app.domain.choice import is_most_of_its_range
from app.store.customers import quoted
from app.store.database import fetch, fetch_packed

PAGE_ROWS = 50_000
"""Numbers per page: 1 MB as text, some 20 ms of the server's time, so a pause is noticed soon."""
NAMES_AT_ONCE = 10_000

# One list costs the server less than two, and a separator less than a value more.
_PACKED = {
    "sqlite": f"group_concat((id + {{shift}}) || mobile, '{END}')",
    "mysql": f"GROUP_CONCAT(id + {{shift}}, mobile SEPARATOR '{END}')",
}
_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
BLANKS = _BLANKS + "\u2028\u2029\u202f\u205f\u3000"
"""What str.strip() takes away. A name that begins with none of them is not blank."""
_MAYBE_BLANK = {
    "sqlite": f"coalesce(unicode(name), 0) IN (0, {', '.join(str(ord(each)) for each in BLANKS)})",
    "mysql": f"ORD(name) IN (0, {', '.join(str(int.from_bytes(each.encode())) for each in BLANKS)})",
}


def page(
    connection: Connection, audience: str, after_id: int, to_id: int, among: NDArray[np.uint64] | None = None
) -> Numbers:
    """Ids and usable numbers of the customers with `after_id < id <= to_id`, in no order. Everyone else is left out,
    and so is who is not `among` these, which ascend, where they are given.

    Packed by the server, as in customers.py, but without its LIMIT, which has the server write a table before it packs.
    A range in which more live than a packed page can hold is read by halves.
    """
    listed = [] if among is None else among.tolist()
    if among is not None and is_most_of_its_range(listed):
        ids, digits = page(connection, audience, after_id, to_id)
        are_among = np.isin(ids, among)
        return ids[are_among], digits[are_among]
    where = f"FROM {quoted(connection, audience)} WHERE id > {after_id:d} AND id <= {to_id:d}"
    if listed:
        where += f" AND id IN ({', '.join(map(str, listed))})"
    packing = Packing(after_id, to_id)
    packed_by_server = _PACKED[_kind(connection)].format(shift=packing.shift)
    row = fetch_packed(connection, f"SELECT COUNT(mobile), {packed_by_server} {where}")
    if row and (found := packing.unpack(*row)) is not None:
        return found
    if to_id - after_id > PAGE_ROWS:
        middle = (after_id + to_id) // 2
        halves = ((after_id, middle), (middle, to_id))
        return join([page(connection, audience, *each, *([] if among is None else [among])) for each in halves])
    return from_rows(fetch(connection, f"SELECT id, mobile {where} AND mobile IS NOT NULL"))


def slices(ids: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """Ids as many at a time as one query takes."""
    return (ids[start : start + NAMES_AT_ONCE] for start in range(0, len(ids), NAMES_AT_ONCE))


def without_name(connection: Connection, audience: str, ids: NDArray[np.uint64]) -> list[int]:
    """Of a slice of `ids`, in ascending order, those of customers whose name is blank."""
    first, last = int(ids[0]), int(ids[-1])
    # Where most of a range is asked for, the range is found sooner than each id.
    listed = f" AND id IN ({', '.join(map(str, ids.tolist()))})" if last - first > 4 * len(ids) else ""
    maybe = _MAYBE_BLANK[_kind(connection)]
    there = quoted(connection, audience)
    query = f"SELECT id, name FROM {there} WHERE id >= {first} AND id <= {last}{listed} AND {maybe}"  # noqa: S608
    return [number for number, name in fetch(connection, query) if not name.strip()]


def _kind(connection: Connection) -> str:
    return "sqlite" if connection.dialect.name == "sqlite" else "mysql"
