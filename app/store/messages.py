"""Rows of `messages`: the ledger. Who changes one changes the counts of its shard, too: see ledger.py."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.domain.chunk import Entry
from app.domain.delivery import Delivery
from app.store import literals
from app.store.clock import now_utc
from app.store.database import by_index, fetch
from app.store.tables import messages

INSERT_ROWS = 500
"""In one statement: some 50 KB."""

_ALIKE = attrgetter("state", "submitted_at", "error", "due_at", "attempts")

_STATE = {each.value: each for each in Delivery}
Key = tuple[int, int]
"""Campaign id and customer id."""


@dataclass(frozen=True, slots=True)
class Message:
    """One row; see app/store/tables.py."""

    campaign_id: int
    customer_id: int
    shard: int
    mobile: int
    parts: int
    state: Delivery
    epoch: int
    attempts: int
    provider_id: str | None
    error: str
    submitted_at: datetime
    due_at: datetime | None
    final_at: datetime | None


class Held(NamedTuple):
    """What a receipt needs to know of a row, which is locked."""

    shard: int
    state: Delivery
    attempts: int
    submitted_at: datetime


class Fate(NamedTuple):
    """What a report reads of a row."""

    customer_id: int
    mobile: int
    parts: int
    state: Delivery
    attempts: int
    submitted_at: datetime
    final_at: datetime | None


def insert(connection: Connection, campaign_id: int, shard: int, epoch: int, entries: Sequence[Entry]) -> None:
    """Write new rows; in the transaction that moves the shard on."""
    now = literals.now(connection)
    for at in range(0, len(entries), INSERT_ROWS):
        rows: list[str] = []
        for alike, group in groupby(entries[at : at + INSERT_ROWS], key=_ALIKE):
            state, submitted_at, error, due_at, attempts = alike
            # Written out, for to bind the values takes PyMySQL 40 us for each; what many have in common, once.
            row = (
                f"({campaign_id:d},%d,{shard:d},%d,%d,'{state.value}',{epoch:d},{attempts:d},%s,"
                f"{literals.name(connection, error)},{literals.moment(submitted_at)},"
                f"{literals.moment(due_at) if due_at else 'NULL'},{now if state is Delivery.REFUSED else 'NULL'})"
            )
            of = list(group)
            ids = literals.names(connection, [each.provider_id for each in of])
            rows += [row % (each.customer_id, each.mobile, each.parts, its) for each, its in zip(of, ids, strict=True)]
        connection.exec_driver_sql(
            "INSERT INTO messages (campaign_id, customer_id, shard, mobile, parts, state, epoch, attempts, provider_id,"  # noqa: S608
            f" error, submitted_at, due_at, final_at) VALUES {','.join(rows)}"
        )


def _in(campaign_id: int, after_id: int, to_id: int) -> ColumnElement[bool]:
    return sa.and_(
        messages.c.campaign_id == campaign_id, messages.c.customer_id > after_id, messages.c.customer_id <= to_id
    )


def from_rows(rows: Iterable[sa.Row[tuple[object, ...]]]) -> list[Message]:
    """Those of a SELECT of the whole table."""
    return [Message(**{**row._mapping, "state": Delivery(row._mapping["state"])}) for row in rows]


def of_customers(
    connection: Connection, campaign_id: int, customer_ids: Sequence[int], *, to_change: bool = False
) -> list[Message]:
    """The rows of these; `to_change`: as they are now and stay until the transaction ends."""
    query = sa.select(messages).where(messages.c.campaign_id == campaign_id, messages.c.customer_id.in_(customer_ids))
    return from_rows(connection.execute(query.with_for_update() if to_change else query))


def held(connection: Connection, keys: Collection[Key]) -> dict[Key, Held]:
    """These, as they are now and stay until the transaction ends."""
    of: dict[int, list[int]] = defaultdict(list)
    for campaign_id, customer_id in keys:
        of[campaign_id].append(customer_id)
    found: dict[Key, Held] = {}
    columns = messages.c
    for campaign_id, customer_ids in sorted(of.items()):
        query = sa.select(
            columns.customer_id, columns.shard, columns.state, columns.attempts, columns.submitted_at
        ).where(columns.campaign_id == campaign_id, literals.among(columns.customer_id, customer_ids))
        rows = connection.execute(
            query.order_by(columns.customer_id).with_for_update(), execution_options=literals.UNCACHED
        )
        for customer_id, shard, state, attempts, submitted_at in rows:
            found[campaign_id, customer_id] = Held(shard, _STATE[state], attempts, submitted_at)
    return found


def held_by_id(connection: Connection, provider_ids: Sequence[str]) -> list[tuple[str, Key, Held]]:
    """Who has a message that a gateway calls so; the same. In a transaction that reads what is committed, or the places
    between those ids are held, too, and others cannot write theirs."""
    wanted = ",".join(literals.names(connection, provider_ids))
    what = "provider_id, campaign_id, customer_id, shard, state, attempts, submitted_at"
    if connection.dialect.name == "sqlite":
        rows = fetch(connection, f"SELECT {what} FROM messages WHERE provider_id IN ({wanted})")  # noqa: S608
    else:  # as one value, for PyMySQL takes longer to take rows apart than all the rest does
        ((packed,),) = fetch(
            connection,
            f"SELECT JSON_ARRAYAGG(JSON_ARRAY({what}))"  # noqa: S608
            f" FROM messages{by_index(connection, 'ix_messages_provider_id')}"
            f" WHERE provider_id IN ({wanted}) FOR UPDATE",
        )
        rows = json.loads(packed or "[]")
    return [
        (provider_id, (campaign_id, customer_id), Held(shard, _STATE[state], attempts, _moment(submitted_at)))
        for provider_id, campaign_id, customer_id, shard, state, attempts, submitted_at in rows
    ]


@lru_cache(maxsize=64)  # a batch was submitted at one moment
def _moment(text: str) -> datetime:
    """As the database writes it out."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def page(
    connection: Connection, campaign_id: int, after_id: int, to_id: int, limit: int, state: Delivery | None = None
) -> list[Message]:
    """The first `limit` with `after_id < customer_id <= to_id`, in id order, of one state or of all."""
    query = sa.select(messages).where(_in(campaign_id, after_id, to_id))
    if state is not None:
        query = query.where(messages.c.state == state)
    return from_rows(connection.execute(query.order_by(messages.c.customer_id).limit(limit)))


def due(connection: Connection, campaign_id: int, after_id: int, to_id: int, limit: int) -> list[Message]:
    """Those that are to be tried again now, the first `limit`, in id order. By the clock by which shards.waiting finds
    their shard due: on a host whose own is behind, the shard would be given out over and over."""
    query = sa.select(messages).where(
        _in(campaign_id, after_id, to_id), messages.c.state == Delivery.RETRY, messages.c.due_at <= now_utc(connection)
    )
    return from_rows(connection.execute(query.order_by(messages.c.customer_id).limit(limit)))


def next_due(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> datetime | None:
    """When the first of those that are to be tried again is due; None where there are none."""
    # Ordered in place of MIN(), which would lose the column's type.
    query = sa.select(messages.c.due_at).where(_in(campaign_id, after_id, to_id), messages.c.state == Delivery.RETRY)
    return connection.execute(query.order_by(messages.c.due_at).limit(1)).scalar()


def counts(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> dict[Delivery, int]:
    """How many rows are in each state, counted anew."""
    query = sa.select(messages.c.state, sa.func.count()).where(_in(campaign_id, after_id, to_id))
    return {Delivery(state): found for state, found in connection.execute(query.group_by(messages.c.state))}


def fates(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> list[Fate]:
    """Of everybody with `after_id < customer_id <= to_id`, in id order."""
    query = sa.select(*(messages.c[name] for name in Fate._fields)).where(_in(campaign_id, after_id, to_id))
    rows = connection.execute(query.order_by(messages.c.customer_id))
    return [Fate(*row)._replace(state=Delivery(row.state)) for row in rows]


def commonest_errors(connection: Connection, campaign_id: int, most: int) -> list[tuple[str, int]]:
    """The gateway's names for why not, and how many messages have each; the commonest first."""
    count = sa.func.count()
    query = sa.select(messages.c.error, count).where(messages.c.campaign_id == campaign_id, messages.c.error != "")
    rows = connection.execute(query.group_by(messages.c.error).order_by(count.desc(), messages.c.error).limit(most))
    return [(error, found) for error, found in rows]


def doubt(connection: Connection, campaign_id: int, after_id: int, to_id: int, state: Delivery) -> int:
    """Those of the range that were under way come to `state`, unknown or retry; how many there were."""
    values: dict[str, object] = {"state": state}
    if state is Delivery.RETRY:
        values["due_at"] = now_utc(connection)
    query = messages.update().where(_in(campaign_id, after_id, to_id), messages.c.state == Delivery.SUBMITTING)
    return connection.execute(query.values(**values)).rowcount


def submit_again(connection: Connection, campaign_id: int, customer_ids: Sequence[int], epoch: int) -> int:
    """Those of them that wait to be tried again are under way; how many there were."""
    changed = connection.execute(
        messages.update()
        .where(
            messages.c.campaign_id == campaign_id,
            messages.c.customer_id.in_(customer_ids),
            messages.c.state == Delivery.RETRY,
        )
        .values(
            state=Delivery.SUBMITTING,
            epoch=epoch,
            attempts=messages.c.attempts + 1,
            submitted_at=now_utc(connection),
            due_at=None,
        )
    )
    return changed.rowcount


def change(
    connection: Connection, campaign_id: int, customer_ids: Sequence[int], state: Delivery, **values: object
) -> None:
    """They come to this state, and have these values."""
    final = now_utc(connection) if state in _FINAL else None
    connection.execute(
        messages.update()
        .where(messages.c.campaign_id == campaign_id, literals.among(messages.c.customer_id, customer_ids))
        .values(state=state, final_at=final, **values),
        execution_options=literals.UNCACHED,
    )


_FINAL = frozenset({Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.REFUSED})


_OWN = ("state", "attempts", "provider_id", "error", "due_at", "final_at")


def change_each(connection: Connection, campaign_id: int, news: Sequence[dict[str, object]]) -> None:
    """The same with values of each one's own: dictionaries of customer_id and of what is in _OWN."""
    if not news:
        return
    statement = (
        messages.update()
        .where(messages.c.campaign_id == campaign_id, messages.c.customer_id == sa.bindparam("of_customer"))
        .values({name: sa.bindparam(f"new_{name}") for name in _OWN})
    )
    connection.execute(
        statement,
        [
            {
                "of_customer": each["customer_id"],
                **{f"new_{name}": each[name] for name in _OWN},
            }
            for each in news
        ],
    )
