"""Rows of `chosen`: who of its audience a campaign is for, where it is not for all of them; see app/store/tables.py."""

from bisect import bisect_right
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.chunk import pack, unpacked
from app.store import customers
from app.store.campaigns import Campaign
from app.store.tables import chosen

IDS_IN_A_ROW = 8_000


def insert(connection: Connection, campaign_id: int, ids: Sequence[int]) -> None:
    """Ids, which ascend, in the transaction that makes the campaign."""
    for at in range(0, len(ids), IDS_IN_A_ROW):
        some = ids[at : at + IDS_IN_A_ROW]
        row = {"campaign_id": campaign_id, "first_id": some[0], "last_id": some[-1], "ids": pack(some, "I")}
        connection.execute(chosen.insert(), row)


def between(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> Sequence[int]:
    """Those with `after_id < id <= to_id`, in order; four bytes for each are in memory."""
    rows = connection.execute(
        sa.select(chosen.c.ids)
        .where(chosen.c.campaign_id == campaign_id, chosen.c.last_id > after_id, chosen.c.first_id <= to_id)
        .order_by(chosen.c.first_id)
    )
    ids = unpacked((row.ids for row in rows), "I")
    return ids[bisect_right(ids, after_id) : bisect_right(ids, to_id)]


def ids_between(connection: Connection, campaign: Campaign, after_id: int, to_id: int) -> list[int]:
    """Ids of everybody with `after_id < id <= to_id` who is there and whom the campaign is for, in order."""
    there = customers.ids_between(connection, campaign.audience, after_id, to_id)
    if not campaign.chosen:
        return there
    theirs = {*between(connection, campaign.id, after_id, to_id)}
    return [each for each in there if each in theirs]
