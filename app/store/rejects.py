"""Rows of `rejects`: who is not greeted in which campaign, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine

from app.domain.reject import Reason, Reject
from app.store.tables import rejects

PAGE_ROWS = 10_000


def insert(connection: Connection, campaign_id: int, shard: int, found: Sequence[Reject]) -> None:
    """Record a page's rejects; in the transaction of its checkpoint, or they would be found twice."""
    if found:
        connection.execute(
            rejects.insert(),
            [
                {"campaign_id": campaign_id, "shard": shard, "customer_id": each.customer_id, "reason": each.reason}
                for each in found
            ],
        )


def between(connection: Connection, campaign_id: int, after_id: int, to_id: int, limit: int = 0) -> list[Reject]:
    """Those with `after_id < customer_id <= to_id`, in id order; the first `limit`, where it is not 0."""
    query = sa.select(rejects.c.customer_id, rejects.c.reason).where(_in(campaign_id, after_id, to_id))
    rows = connection.execute(query.order_by(rejects.c.customer_id).limit(limit or None))
    return [Reject(customer_id, Reason(reason)) for customer_id, reason in rows]


def pages(database: Engine, campaign_id: int, after_id: int, to_id: int) -> Iterator[list[Reject]]:
    """All of them with `after_id < customer_id <= to_id`, in id order and bounded memory."""
    while True:
        with database.connect() as connection:
            page = between(connection, campaign_id, after_id, to_id, PAGE_ROWS)
        if not page:
            return
        yield page
        after_id = page[-1].customer_id


def count(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> Counter[Reason]:
    """How many there are for each reason."""
    query = sa.select(rejects.c.reason, sa.func.count()).where(_in(campaign_id, after_id, to_id))
    return Counter({Reason(reason): found for reason, found in connection.execute(query.group_by(rejects.c.reason))})


def remove(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> None:
    """Forget those with `after_id < customer_id <= to_id`: they are looked at again."""
    connection.execute(rejects.delete().where(_in(campaign_id, after_id, to_id)))


def _in(campaign_id: int, after_id: int, to_id: int) -> ColumnElement[bool]:
    return sa.and_(
        rejects.c.campaign_id == campaign_id, rejects.c.customer_id > after_id, rejects.c.customer_id <= to_id
    )
