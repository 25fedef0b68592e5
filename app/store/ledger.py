"""A shard's way through the ledger: claimed under a new epoch, intended, put on record, let go of.

Every change of a message changes the counts of its shard in the same transaction, so they always agree. It holds the
rows of messages first and those of their shards last, so that no two changes wait for each other, and a shard's row,
which all of them want, is not held for long. Only who claims a shard has its row first.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection
from sqlalchemy.exc import IntegrityError

from app.domain.campaign import ShardState
from app.domain.chunk import Chunk, Counts, Entry, News
from app.domain.delivery import Delivery, after_refusal, may_follow_answer
from app.errors import LeaseLost, ShardTaken
from app.store import intents, messages, parts, rejects
from app.store.clock import asked, lease_until_ms, now_ms
from app.store.drains import is_open
from app.store.parts import Attempt
from app.store.shards import Shard, added, get, is_shard, runs
from app.store.tables import shards

COLUMNS = {each: shards.c["in_doubt" if each is Delivery.UNKNOWN else each.value] for each in Delivery}
"""Where the number of messages in each state stands."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A shard that is ours as long as nobody raises its epoch."""

    campaign_id: int
    number: int
    epoch: int

    @property
    def is_here(self) -> ColumnElement[bool]:
        return sa.and_(is_shard(self.campaign_id, self.number), shards.c.epoch == self.epoch)


def claim(connection: Connection, campaign_id: int, number: int, owner: str, *, doubt: Delivery) -> tuple[Shard, Hold]:
    """Make the shard ours under a new epoch. What its former holder had under way becomes `doubt`: unknown, or retry
    where the gateway's policy is to send again. Raises ShardTaken where somebody has it, and shows signs of life: to
    take it before its lease is over would harm nobody, for the epoch decides, and make doubt where there need be none.
    """
    changed = connection.execute(
        shards.update()
        .where(
            is_shard(campaign_id, number),
            shards.c.state == ShardState.OPEN,
            shards.c.lease_until_ms < now_ms(connection),
            runs(is_open()),
        )
        .values(
            owner=owner,
            epoch=shards.c.epoch + 1,
            lease_until_ms=lease_until_ms(connection),
            intended_id=sa.case(
                (shards.c.intended_id < shards.c.last_id, shards.c.last_id), else_=shards.c.intended_id
            ),
        )
    )
    if changed.rowcount != 1:
        raise ShardTaken("shard_taken", shard=number, campaign_id=campaign_id)
    shard = get(connection, campaign_id, number)
    _take_up(connection, shard, doubt)
    return get(connection, campaign_id, number), Hold(campaign_id, number, shard.epoch)


def _take_up(connection: Connection, shard: Shard, doubt: Delivery) -> None:
    """Whatever a former epoch intended and did not settle."""
    left = intents.entries(connection, shard.campaign_id, shard.number, doubt)
    found = 0
    for epoch, entries in left:
        messages.insert(connection, shard.campaign_id, shard.number, epoch, entries)
        found += len(entries)
    if left:
        intents.remove(connection, shard.campaign_id, shard.number, shard.last_id, shard.intended_id)
    if shard.tally.submitting > found:  # stragglers of chunks that are on record
        found += messages.doubt(connection, shard.campaign_id, shard.after_id, shard.to_id, doubt)
    if not left and not found:
        return
    counts = Counts()
    counts.move(Delivery.SUBMITTING, doubt, found)
    connection.execute(
        shards.update()
        .where(is_shard(shard.campaign_id, shard.number))
        .values(last_id=shards.c.intended_id, **_moved(counts))
    )


def intend(connection: Connection, hold: Hold, chunk: Chunk) -> list[int] | None:
    """From here on everybody in the chunk may be submitted to. Raises LeaseLost where the shard is not ours any more,
    our lease is over, the campaign does not run, or its gateway is drained. To do it twice is to do it once: the second
    time it gives the ids of those who are intended since the first, whoever is in the chunk by now; else None."""
    counts = Counts()
    counts.move(None, Delivery.SUBMITTING, len(chunk.ids))
    changed = connection.execute(
        shards.update()
        .where(
            hold.is_here,
            shards.c.state == ShardState.OPEN,
            shards.c.intended_id == chunk.after_id,
            shards.c.lease_until_ms >= now_ms(connection),
            runs(is_open()),
        )
        .values(
            intended_id=chunk.to_id,
            **added(chunk.tally),
            lease_until_ms=lease_until_ms(connection),
            **_moved(counts),
        )
    )
    if changed.rowcount != 1:
        if connection.execute(sa.select(shards.c.intended_id).where(hold.is_here)).scalar() == chunk.to_id:
            # The commit of before got through, and its answer did not.
            before = intents.ids(connection, hold.campaign_id, hold.number, hold.epoch, chunk.after_id)
            if before is not None:
                return before
        raise LeaseLost("lease_lost", shard=hold.number, campaign_id=hold.campaign_id)
    intents.insert(connection, hold.campaign_id, hold.number, hold.epoch, chunk)
    rejects.insert(connection, hold.campaign_id, hold.number, chunk.rejects)
    return None


def record(
    connection: Connection, hold: Hold, after_id: int, to_id: int, entries: Sequence[Entry], *, work_ms: int = 0
) -> Counter[Delivery]:
    """What became of everybody intended with `after_id < id <= to_id`, stragglers as submitting. It asks for the epoch
    alone: what was sent is sent, whatever became of the campaign. Raises LeaseLost. To do it twice is to do it once:
    how many came on record in which state, none the second time."""
    of = (hold.campaign_id, hold.number)
    counts = Counts()
    states = Counter(each.state for each in entries)
    for state, found in states.items():
        if state is not Delivery.SUBMITTING:
            counts.move(Delivery.SUBMITTING, state, found)
    try:
        messages.insert(connection, *of, hold.epoch, entries)
    except IntegrityError:  # they are there: by us, or by who took the shard up since
        if _reached(connection, hold) == after_id:
            raise
    changed = connection.execute(
        shards.update()
        .where(hold.is_here, shards.c.last_id == after_id, shards.c.intended_id >= to_id)
        .values(
            last_id=to_id,
            lease_until_ms=lease_until_ms(connection),
            work_ms=shards.c.work_ms + work_ms,
            **_moved(counts),
        )
    )
    if changed.rowcount != 1:
        if _reached(connection, hold) == to_id:
            return Counter()
        raise LeaseLost("lease_lost", shard=hold.number, campaign_id=hold.campaign_id)
    intents.remove(connection, *of, after_id, to_id)
    long = {
        Attempt(hold.campaign_id, each.customer_id, each.attempts): each.part_ids for each in entries if each.part_ids
    }
    parts.insert(connection, long)
    return states


def _reached(connection: Connection, hold: Hold) -> int | None:
    """Up to where its shard is on record; None where it is not ours any more."""
    return connection.execute(sa.select(shards.c.last_id).where(hold.is_here)).scalar()


def intend_again(
    connection: Connection, hold: Hold, customer_ids: Sequence[int], refused: Collection[int] = ()
) -> None:
    """Those who wait to be tried again are submitted to again; some of them are `refused` by us instead, which the same
    transaction settles after this. Raises LeaseLost as `intend` does. To do it twice is to do it once."""
    rows = messages.of_customers(connection, hold.campaign_id, customer_ids)
    done = {each: Delivery.REFUSED if each in refused else Delivery.SUBMITTING for each in customer_ids}
    if all(each.state is done[each.customer_id] and each.epoch == hold.epoch for each in rows):
        return
    if messages.submit_again(connection, hold.campaign_id, customer_ids, hold.epoch) != len(customer_ids):
        raise LeaseLost("lease_lost.customers", shard=hold.number, campaign_id=hold.campaign_id)
    counts = Counts()
    counts.move(Delivery.RETRY, Delivery.SUBMITTING, len(customer_ids))
    changed = connection.execute(
        shards.update()
        .where(
            hold.is_here,
            shards.c.state == ShardState.OPEN,
            shards.c.lease_until_ms >= now_ms(connection),
            runs(is_open()),
        )
        .values(lease_until_ms=lease_until_ms(connection), **_moved(counts))
    )
    if changed.rowcount != 1:
        raise LeaseLost("lease_lost", shard=hold.number, campaign_id=hold.campaign_id)


def settle(
    connection: Connection, campaign_id: int, number: int, news: Sequence[News], *, validity_s: float
) -> Counter[Delivery]:
    """Answers to messages that have a row: of stragglers, and after the time for it. How many attempts came to which
    state by them. It does not ask whose the shard is, but whether the answer is to the last attempt."""
    of = {each.customer_id: each for each in news}
    counts = Counts()
    changes: list[dict[str, object]] = []
    attempts: Counter[Delivery] = Counter()
    part_ids: dict[Attempt, tuple[str, ...]] = {}
    now = asked(connection)
    for row in messages.of_customers(connection, campaign_id, [*of], to_change=True):
        each = of[row.customer_id]
        if row.epoch == each.epoch and each.part_ids:  # whatever a receipt made of it: others follow
            part_ids[Attempt(campaign_id, row.customer_id, row.attempts)] = each.part_ids
        if row.epoch != each.epoch or not may_follow_answer(row.state, each.state):
            continue
        state, due_at = each.state, each.due_at
        if state is Delivery.RETRY and due_at is None:
            state, due_at = after_refusal(row.attempts, validity_s, now)
        counts.move(row.state, state)
        attempts[state] += each.due_at is None
        changes.append({
            "customer_id": row.customer_id,
            "state": state,
            "attempts": row.attempts - (each.due_at is not None),
            "provider_id": each.provider_id or None,
            "error": each.error,
            "due_at": due_at,
            "final_at": now if state is Delivery.REFUSED else None,
        })  # fmt: skip
    messages.change_each(connection, campaign_id, changes)
    parts.insert_new(connection, part_ids)
    add(connection, campaign_id, number, counts)
    return attempts


def lock(connection: Connection, of: Sequence[tuple[int, int]]) -> None:
    """Hold the rows of these shards, by campaign id and number, until the transaction ends."""
    for campaign_id, number in sorted(set(of)):
        query = sa.select(shards.c.number).where(is_shard(campaign_id, number))
        connection.execute(query.with_for_update())


def add(connection: Connection, campaign_id: int, number: int, counts: Counts) -> None:
    """Change the counts of a shard, of whose messages we hold the rows."""
    if moved := _moved(counts):
        connection.execute(shards.update().where(is_shard(campaign_id, number)).values(**moved))


def is_to_be_sent(connection: Connection, hold: Hold, *, renew: bool = False) -> bool:
    """Whether the shard is ours, its campaign runs and its gateway is not drained; and `renew` the lease, if so."""
    if renew:
        query = shards.update().where(hold.is_here, runs(is_open())).values(lease_until_ms=lease_until_ms(connection))
        return connection.execute(query).rowcount == 1
    return connection.execute(sa.select(shards.c.number).where(hold.is_here, runs(is_open()))).scalar() is not None


def release(connection: Connection, hold: Hold, due: datetime | None = None) -> None:
    """Let the shard go, unless it is done; `due`: there is nothing to do for it before."""
    due_ms = int(due.timestamp() * 1000) if due else 0
    is_held = sa.and_(hold.is_here, shards.c.lease_until_ms > 0)
    connection.execute(shards.update().where(is_held).values(owner="", lease_until_ms=0, due_ms=due_ms))


def _moved(counts: Counts) -> dict[str, ColumnElement[int]]:
    return {COLUMNS[state].name: COLUMNS[state] + by for state, by in counts.by_state.items() if by}
