"""Messages that somebody wants tried again: they come to `retry`, and their shards are open for it."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.campaign import ShardState
from app.domain.chunk import Counts
from app.domain.delivery import Delivery
from app.store import ledger, messages
from app.store.clock import now_ms, now_utc
from app.store.shards import is_shard
from app.store.tables import shards


def try_again(connection: Connection, campaign_id: int, numbers: set[int], customer_ids: Sequence[int],
              state: Delivery) -> int:  # fmt: skip
    """Those of them that are in this state are due now; how many there were. `numbers` are those of their shards.

    Left as they are: messages of the task that has their shard at this moment. It may yet hear an answer to that
    attempt, and would take it for one to the next. A task has a shard for some seconds, and the next one another epoch.
    One that showed no life for long, and may show some again, has lost the shard by that: its epoch is over.
    """
    rows = messages.of_customers(connection, campaign_id, customer_ids, to_change=True)
    ledger.lock(connection, [(campaign_id, each) for each in numbers])
    held = _held(connection, campaign_id, numbers)
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row.state is state and held.get(row.shard) != row.epoch:
            found[row.shard].append(row.customer_id)
    is_silent = sa.and_(shards.c.lease_until_ms > 0, shards.c.lease_until_ms < now_ms(connection))
    epoch = sa.case((is_silent, shards.c.epoch + 1), else_=shards.c.epoch)
    for number, ids in found.items():
        # Without the gateway's id, or a second receipt of the first attempt would speak for the next one.
        messages.change(connection, campaign_id, ids, Delivery.RETRY, due_at=now_utc(connection), provider_id=None)
        counts = Counts()
        counts.move(state, Delivery.RETRY, len(ids))
        ledger.add(connection, campaign_id, number, counts)
        opened = shards.update().where(is_shard(campaign_id, number))
        connection.execute(opened.values(state=ShardState.OPEN, due_ms=0, epoch=epoch))
    return sum(map(len, found.values()))


def _held(connection: Connection, campaign_id: int, numbers: set[int]) -> dict[int, int]:
    """The epochs of those that a task has, by number; their rows are locked, so that it stays so."""
    query = sa.select(shards.c.number, shards.c.epoch).where(
        shards.c.campaign_id == campaign_id,
        shards.c.number.in_(sorted(numbers)),
        shards.c.lease_until_ms >= now_ms(connection),
    )
    return {row.number: row.epoch for row in connection.execute(query.with_for_update())}
