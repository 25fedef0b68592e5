"""Removes the details of campaigns that are over, batch by batch: rows of customers and of its
course, never the counts of shards."""

from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Column, Connection

from app.domain.campaign import State
from app.store.tables import (
    campaigns,
    chosen,
    duplicates,
    heirs,
    intents,
    late,
    message_parts,
    messages,
    progress_samples,
    rejects,
)


class Detail(NamedTuple):
    """A table, by the column that follows the campaign in its primary key, and how many rows one transaction removes:
    so many that others, such as receipts, wait for it a moment only."""

    key: Column[int]
    at_once: int


DETAILS = (
    Detail(messages.c.customer_id, 2_000),
    Detail(rejects.c.customer_id, 5_000),
    Detail(intents.c.shard, 100),
    Detail(heirs.c.keeper_id, 5_000),
    Detail(duplicates.c.first_id, 20),
    Detail(late.c.first_id, 20),
    Detail(chosen.c.first_id, 20),
    Detail(progress_samples.c.at_s, 5_000),
)


def mark(connection: Connection, campaign_id: int, before: datetime) -> bool:
    """From here on nobody counts on the details of a campaign; whether it is still as it has to be for that: over
    since before then, and nobody was quicker, be it to open it again."""
    is_over = campaigns.c.state.in_([State.FINISHED, State.CANCELLED])
    changed = connection.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id, campaigns.c.pruned_at.is_(None))
        .where(is_over, campaigns.c.finished_at < before)
        .values(pruned_at=datetime.now(UTC))
    )
    return changed.rowcount == 1


def unfinished(connection: Connection) -> dict[int, int]:
    """Marked campaigns that have details yet, for who removed them was ended; and about how many rows."""
    found: dict[int, int] = {}
    for key, _ in DETAILS:
        of_it = key.table.c.campaign_id
        has_some = sa.exists().where(of_it == campaigns.c.id)
        marked = sa.select(campaigns.c.id).where(campaigns.c.pruned_at.is_not(None), has_some)
        for campaign_id in connection.execute(marked).scalars().all():
            count = sa.select(sa.func.count()).select_from(key.table).where(of_it == campaign_id)
            found[campaign_id] = found.get(campaign_id, 0) + connection.execute(count).scalar_one()
    return found


def remove_some(connection: Connection, campaign_id: int, detail: Detail, after: int) -> tuple[int | None, int]:
    """Remove the next rows whose key is above `after`: the last key, None at the end, and how many rows."""
    key, table = detail.key, detail.key.table
    is_next = sa.and_(table.c.campaign_id == campaign_id, key > after)
    # From where the last ones were removed on: to find the first again would pass all that are not purged yet.
    keys = connection.execute(sa.select(key).where(is_next).order_by(key).limit(detail.at_once)).scalars().all()
    if not keys:
        return None, 0
    last = keys[-1]
    if table is messages:  # in one transaction: a receipt of a part never meets a message without parts
        of_it = message_parts.c
        connection.execute(
            message_parts.delete().where(
                of_it.campaign_id == campaign_id, of_it.customer_id > after, of_it.customer_id <= last
            )
        )
    removed = connection.execute(sa.delete(table).where(is_next, key <= last)).rowcount
    return last, removed
