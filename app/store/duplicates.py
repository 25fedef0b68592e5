"""Rows of `duplicates`: the ids of a campaign that are not to be sent because a lower id has the same number."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.tables import duplicates

IDS_IN_A_ROW = 16_000
"""64,000 bytes: MySQL's BLOB takes 65,535."""


def insert(connection: Connection, campaign_id: int, ids: Iterable[int]) -> None:
    """Store the ids, which come in ascending order."""
    rest = iter(ids)
    while some := array("I", islice(rest, IDS_IN_A_ROW)):
        row = {"campaign_id": campaign_id, "first_id": some[0], "last_id": some[-1], "ids": _packed(some)}
        connection.execute(duplicates.insert(), row)


class Duplicates:
    """Those of a campaign with `after_id < id <= to_id`, four bytes each in memory."""

    def __init__(self, connection: Connection, campaign_id: int, after_id: int, to_id: int) -> None:
        self._ids = array("I")
        rows = connection.execute(
            sa.select(duplicates.c.ids)
            .where(
                duplicates.c.campaign_id == campaign_id,
                duplicates.c.last_id > after_id,
                duplicates.c.first_id <= to_id,
            )
            .order_by(duplicates.c.first_id)
        )
        for row in rows:
            some = struct.unpack(f"<{len(row.ids) // 4}I", row.ids)
            self._ids.extend(some[bisect_right(some, after_id) : bisect_right(some, to_id)])

    def within(self, after_id: int, to_id: int) -> frozenset[int]:
        """Those of a page's range."""
        return frozenset(self._ids[bisect_right(self._ids, after_id) : bisect_right(self._ids, to_id)])


def _packed(ids: "array[int]") -> bytes:
    return struct.pack(f"<{len(ids)}I", *ids)
