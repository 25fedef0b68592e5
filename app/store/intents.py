"""Rows of `intents`: who may have been submitted to, and has no row in the ledger yet."""

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.chunk import Chunk, Entry, pack, unpack
from app.domain.delivery import Delivery
from app.store.clock import now_utc
from app.store.tables import intents


def insert(connection: Connection, campaign_id: int, shard: int, epoch: int, chunk: Chunk) -> None:
    """Before the first byte of a chunk leaves; in the transaction that moves `intended_id` over it."""
    connection.execute(
        intents.insert().values(
            campaign_id=campaign_id,
            shard=shard,
            after_id=chunk.after_id,
            to_id=chunk.to_id,
            epoch=epoch,
            at=now_utc(connection),
            ids=pack(chunk.ids, "I"),
            mobiles=pack(chunk.mobiles, "Q"),
            parts=pack(chunk.parts, "B"),
        )
    )


def remove(connection: Connection, campaign_id: int, shard: int, after_id: int, to_id: int) -> None:
    """Those of the chunks in this range, for what became of them is on record."""
    connection.execute(
        intents.delete().where(
            intents.c.campaign_id == campaign_id,
            intents.c.shard == shard,
            intents.c.after_id >= after_id,
            intents.c.after_id < to_id,
        )
    )


def ids(connection: Connection, campaign_id: int, shard: int, epoch: int, after_id: int) -> list[int] | None:
    """Who is intended by the chunk that begins there, where this epoch intended it; else None."""
    found = connection.execute(
        sa.select(intents.c.ids).where(
            intents.c.campaign_id == campaign_id,
            intents.c.shard == shard,
            intents.c.after_id == after_id,
            intents.c.epoch == epoch,
        )
    ).scalar()
    return None if found is None else unpack(found, "I")


def count(connection: Connection, campaign_id: int, shard: int) -> int:
    """How many are intended and have no row yet."""
    octets = sa.func.sum(sa.func.length(intents.c.ids))
    query = sa.select(octets).where(intents.c.campaign_id == campaign_id, intents.c.shard == shard)
    return int(connection.execute(query).scalar() or 0) // 4


def entries(connection: Connection, campaign_id: int, shard: int, state: Delivery) -> list[tuple[int, list[Entry]]]:
    """The rows for everybody who was intended, in this state, by the epoch that intended them."""
    query = sa.select(intents).where(intents.c.campaign_id == campaign_id, intents.c.shard == shard)
    return [
        (
            row.epoch,
            [
                Entry(customer_id, mobile, parts, state, row.at, due_at=row.at if state is Delivery.RETRY else None)
                for customer_id, mobile, parts in zip(
                    unpack(row.ids, "I"), unpack(row.mobiles, "Q"), unpack(row.parts, "B"), strict=True
                )
            ],
        )
        for row in connection.execute(query.order_by(intents.c.after_id))
    ]
