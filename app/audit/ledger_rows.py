"""The ledger of a campaign, customer by customer, those included who are only intended so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from app.campaigns.snapshot import Snapshot
from app.domain.delivery import Delivery
from app.store import intents, messages
from app.store.messages import Message
from app.store.shards import Shard

PAGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one customer's message."""

    customer_id: int
    mobile: int
    parts: int
    state: Delivery
    provider_id: str = ""
    error: str = ""
    submitted_at: datetime | None = None
    """None for who is intended: nobody knows yet whether the bytes left."""
    final_at: datetime | None = None


def of_message(found: Message) -> Row:
    """The row of a message that has one in the ledger."""
    return Row(
        found.customer_id,
        found.mobile,
        found.parts,
        found.state,
        found.provider_id or "",
        found.error,
        found.submitted_at,
        found.final_at,
    )


def pages(
    database: Engine, now: Snapshot, state: Delivery | None = None, after_id: int = 0, page_rows: int | None = None
) -> Iterator[list[Row]]:
    """Everybody behind an id who has a message, or those in one state, by id, in bounded memory. Each page is of one
    moment, and a customer is on one page, whatever goes on meanwhile."""
    for shard in now.shards:
        if not shard.late and shard.to_id > after_id:
            yield from _of_shard(database, shard, state, max(after_id, shard.after_id), page_rows or PAGE_ROWS)


def _of_shard(
    database: Engine, shard: Shard, state: Delivery | None, after_id: int, page_rows: int
) -> Iterator[list[Row]]:
    while after_id < shard.to_id:
        with database.connect() as connection:  # one transaction: who is not in the one table is in the other
            found = messages.page(connection, shard.campaign_id, after_id, shard.to_id, page_rows, state)
            intended = intents.entries(connection, shard.campaign_id, shard.number, Delivery.SUBMITTING)
        to_id = found[-1].customer_id if len(found) == page_rows else shard.to_id
        rows = list(map(of_message, found))
        if state in {None, Delivery.SUBMITTING}:
            rows += [
                Row(each.customer_id, each.mobile, each.parts, each.state)
                for _, entries in intended
                for each in entries
                if after_id < each.customer_id <= to_id
            ]
            rows.sort(key=lambda each: each.customer_id)
        if rows:
            yield rows
        after_id = to_id
