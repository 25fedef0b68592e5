"""Rows of `rejects`: who is not greeted in which campaign, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine

from app.domain.reject import Reason, Reject
from app.store.tables import rejects

PAGE_ROWS = 10_000
INSERT_ROWS = 1_000
"""In one statement: some 30 KB."""


def insert(connection: Connection, campaign_id: int, shard: int, found: Sequence[Reject]) -> None:
    """Record a page's rejects; in the transaction of its checkpoint, or they would be found twice."""
    for at in range(0, len(found), INSERT_ROWS):
        # Numbers and reasons of our own, written out: to bind them takes 40 us for each with PyMySQL.
        rows = ",".join(
            [
                f"({campaign_id:d},{customer_id:d},{shard:d},'{reason.value}')"
                for customer_id, reason in found[at : at + INSERT_ROWS]
            ]
        )
        statement = f"INSERT INTO rejects (campaign_id, customer_id, shard, reason) VALUES {rows}"  # noqa: S608
        connection.exec_driver_sql(statement)


def between(
    connection: Connection,
    campaign_id: int,
    shard: int | None,
    after_id: int,
    to_id: int,
    limit: int = 0,
    reason: Reason | None = None,
) -> list[Reject]:
    """Those of a shard, or of all, with `after_id < customer_id <= to_id`, in id order; the first `limit`, where it is
    not 0; of one reason or of all."""
    query = sa.select(rejects.c.customer_id, rejects.c.reason).where(_in(campaign_id, shard, after_id, to_id))
    if reason is not None:
        query = query.where(rejects.c.reason == reason)
    rows = connection.execute(query.order_by(rejects.c.customer_id).limit(limit or None))
    return [Reject(customer_id, Reason(reason)) for customer_id, reason in rows]


def pages(database: Engine, campaign_id: int, shard: int, after_id: int, to_id: int) -> Iterator[list[Reject]]:
    """All of a shard with `after_id < customer_id <= to_id`, in id order and bounded memory."""
    while True:
        with database.connect() as connection:
            page = between(connection, campaign_id, shard, after_id, to_id, PAGE_ROWS)
        if not page:
            return
        yield page
        after_id = page[-1].customer_id


def count(connection: Connection, campaign_id: int, shard: int, after_id: int, to_id: int) -> Counter[Reason]:
    """How many there are in a shard for each reason."""
    query = sa.select(rejects.c.reason, sa.func.count()).where(_in(campaign_id, shard, after_id, to_id))
    return Counter({Reason(reason): found for reason, found in connection.execute(query.group_by(rejects.c.reason))})


def count_all(connection: Connection, campaign_id: int) -> dict[Reason, int]:
    """How many there are in a whole campaign for each reason; every row is read."""
    query = sa.select(rejects.c.reason, sa.func.count()).where(rejects.c.campaign_id == campaign_id)
    return {Reason(reason): found for reason, found in connection.execute(query.group_by(rejects.c.reason))}


def remove(connection: Connection, campaign_id: int, shard: int, after_id: int, to_id: int) -> None:
    """Forget those of a shard with `after_id < customer_id <= to_id`: they are looked at again."""
    connection.execute(rejects.delete().where(_in(campaign_id, shard, after_id, to_id)))


def _in(campaign_id: int, shard: int | None, after_id: int, to_id: int) -> ColumnElement[bool]:
    """A late shard lies among the ids of others, so the range alone does not tell."""
    found = sa.and_(
        rejects.c.campaign_id == campaign_id, rejects.c.customer_id > after_id, rejects.c.customer_id <= to_id
    )
    return found if shard is None else sa.and_(found, rejects.c.shard == shard)
