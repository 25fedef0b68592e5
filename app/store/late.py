"""Rows of `late`: who came too late for the shards of a campaign and is in one of its own, see app/store/tables.py."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.store.tables import late

IDS_IN_A_ROW = 8_000


@dataclass(frozen=True, slots=True)
class Late:
    """Ids, ascending, and those among them who get no message, for their number has one."""

    ids: Sequence[int] = ()
    not_sent: frozenset[int] = field(default_factory=frozenset)


def insert(connection: Connection, campaign_id: int, shard: int, found: Late) -> None:
    """Put these into that shard. Each is in one shard of a campaign at most."""
    for at in range(0, len(found.ids), IDS_IN_A_ROW):
        ids = found.ids[at : at + IDS_IN_A_ROW]
        row = {
            "campaign_id": campaign_id,
            "shard": shard,
            "first_id": ids[0],
            "ids": _packed(ids),
            "not_sent": _packed([each for each in ids if each in found.not_sent]),
        }
        connection.execute(late.insert(), row)


def of_shard(connection: Connection, campaign_id: int, number: int) -> Late:
    """Those in this shard."""
    return _read(connection, sa.and_(late.c.campaign_id == campaign_id, late.c.shard == number))


def of_campaign(connection: Connection, campaign_id: int) -> Late:
    """Those in all late shards of the campaign."""
    return _read(connection, late.c.campaign_id == campaign_id)


def _read(connection: Connection, where: ColumnElement[bool]) -> Late:
    rows = connection.execute(sa.select(late.c.ids, late.c.not_sent).where(where)).all()
    ids = sorted(number for row in rows for number in _unpacked(row.ids))
    return Late(ids, frozenset(number for row in rows for number in _unpacked(row.not_sent)))


def _packed(ids: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(ids)}I", *ids)


def _unpacked(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(packed) // 4}I", packed)
