"""Rows of `duplicates`: the ids of a campaign that are not to be sent because a lower id has the same number."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.tables import duplicates

IDS_IN_A_ROW = 8_000
"""64,000 bytes of numbers: MySQL's BLOB takes 65,535."""
ROWS_AT_ONCE = 32


class Holder(NamedTuple):
    """One of those who had the same number when the campaign was prepared; the keeper is one of them."""

    customer_id: int
    keeper_id: int
    number: int


def insert(connection: Connection, campaign_id: int, found: Iterable[tuple[int, int, int]]) -> None:
    """Store ids, which come in ascending order, each with its keeper and their number."""
    rest = iter(found)
    while some := list(islice(rest, IDS_IN_A_ROW)):
        ids, keepers, numbers = zip(*some, strict=True)
        row = {
            "campaign_id": campaign_id,
            "first_id": ids[0],
            "last_id": ids[-1],
            "ids": struct.pack(f"<{len(ids)}I", *ids),
            "keepers": struct.pack(f"<{len(ids)}I", *keepers),
            "numbers": struct.pack(f"<{len(ids)}Q", *numbers),
        }
        connection.execute(duplicates.insert(), row)


class Duplicates:
    """Those of a campaign with `after_id < id <= to_id`, and the keepers in there: some 20 bytes each in memory."""

    def __init__(self, connection: Connection, campaign_id: int, after_id: int, to_id: int) -> None:
        self._ids, self._keepers, self._numbers = array("I"), array("I"), array("Q")
        kept: dict[int, int] = {}
        first_id = -1
        # A keeper is lower than its duplicates, so those after the range count, too.
        while rows := _some(connection, campaign_id, first_id, after_id):
            for row in rows:
                self._add(row, after_id, to_id, kept)
            first_id = rows[-1].first_id
        self._kept = array("I", sorted(kept))
        self._kept_numbers = array("Q", map(kept.__getitem__, self._kept))

    def _add(
        self,
        row: sa.Row[tuple[int, bytes, bytes | None, bytes | None]],
        after_id: int,
        to_id: int,
        kept: dict[int, int],
    ) -> None:
        count = len(row.ids) // 4
        ids = struct.unpack(f"<{count}I", row.ids)
        keepers = struct.unpack(f"<{count}I", row.keepers) if row.keepers else (0,) * count
        numbers = struct.unpack(f"<{count}Q", row.numbers) if row.numbers else (0,) * count
        kept.update(each for each in zip(keepers, numbers, strict=True) if after_id < each[0] <= to_id)
        ours = slice(bisect_right(ids, after_id), bisect_right(ids, to_id))
        for of_all, of_row in ((self._ids, ids), (self._keepers, keepers), (self._numbers, numbers)):
            of_all.extend(of_row[ours])

    def within(self, after_id: int, to_id: int) -> frozenset[int]:
        """Those of a page's range."""
        return frozenset(self._ids[bisect_right(self._ids, after_id) : bisect_right(self._ids, to_id)])

    def holders(self, after_id: int, to_id: int) -> list[Holder]:
        """The same and the keepers of the range, in ascending order; without those whose keeper nobody knows."""
        ours = slice(bisect_right(self._ids, after_id), bisect_right(self._ids, to_id))
        kept = slice(bisect_right(self._kept, after_id), bisect_right(self._kept, to_id))
        found = [
            *map(Holder, self._ids[ours], self._keepers[ours], self._numbers[ours]),
            *map(Holder, self._kept[kept], self._kept[kept], self._kept_numbers[kept]),
        ]
        return sorted(each for each in found if each.keeper_id)


def _some(
    connection: Connection, campaign_id: int, first_id: int, after_id: int
) -> list[sa.Row[tuple[int, bytes, bytes | None, bytes | None]]]:
    query = (
        sa.select(duplicates.c.first_id, duplicates.c.ids, duplicates.c.keepers, duplicates.c.numbers)
        .where(
            duplicates.c.campaign_id == campaign_id,
            duplicates.c.first_id > first_id,
            duplicates.c.last_id > after_id,
        )
        .order_by(duplicates.c.first_id)
        .limit(ROWS_AT_ONCE)
    )
    return list(connection.execute(query))
