"""Rows of `message_parts`: what the gateway calls each part of a message that went out as several."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store import literals
from app.store.database import by_index, fetch
from app.store.messages import INSERT_ROWS
from app.store.tables import message_parts, messages

UNNAMED = "(not known)"
"""The id of a part of which no receipt has come, where the answer that had the ids is lost."""
NAMELESS = "(none)"
"""That of one whose receipt has none."""


class Attempt(NamedTuple):
    """One try at a message: another one has other parts."""

    campaign_id: int
    customer_id: int
    number: int


class Part(NamedTuple):
    """One part, from 1."""

    attempt: Attempt
    number: int


def insert(connection: Connection, ids: Mapping[Attempt, Sequence[str]]) -> None:
    """The ids of the parts of these, in order; in the transaction that records that they were taken."""
    rows = [
        f"({each.campaign_id:d},{each.customer_id:d},{each.number:d},{number:d},{provider_id},0)"
        for each, its_ids in ids.items()
        for number, provider_id in enumerate(literals.names(connection, its_ids), start=1)
    ]
    for at in range(0, len(rows), INSERT_ROWS):
        connection.exec_driver_sql(
            "INSERT INTO message_parts (campaign_id, customer_id, attempt, number, provider_id, delivered)"  # noqa: S608
            f" VALUES {','.join(rows[at : at + INSERT_ROWS])}"
        )


def insert_new(connection: Connection, ids: Mapping[Attempt, Sequence[str]]) -> None:
    """The same for those of which they are not on record, for an answer may be told twice."""
    if ids:
        known = undelivered(connection, ids)
        insert(connection, {each: its_ids for each, its_ids in ids.items() if each not in known})


def by_id(connection: Connection, provider_ids: Sequence[str]) -> list[tuple[str, Part]]:
    """The parts that a gateway calls so, the newest last."""
    wanted = ",".join(literals.names(connection, provider_ids))
    rows = fetch(
        connection,
        "SELECT provider_id, campaign_id, customer_id, attempt, number"  # noqa: S608
        f" FROM message_parts{by_index(connection, 'ix_message_parts_provider_id')} WHERE provider_id IN ({wanted})"
        " ORDER BY campaign_id, attempt",
    )
    return [(provider_id, Part(Attempt(*of), number)) for provider_id, *of, number in rows]


def undelivered(connection: Connection, attempts: Collection[Attempt]) -> dict[Attempt, set[int]]:
    """Which parts of these are not delivered, as it is now and stays until the transaction ends; those without parts
    are not there."""
    found: dict[Attempt, set[int]] = defaultdict(set)
    columns = message_parts.c
    if attempts:
        is_one_of = sa.tuple_(columns.campaign_id, columns.customer_id, columns.attempt).in_([*attempts])
        query = sa.select(
            columns.campaign_id, columns.customer_id, columns.attempt, columns.number, columns.delivered
        ).where(is_one_of)
        for *of, number, delivered in connection.execute(query.with_for_update()):
            found[Attempt(*of)].update(() if delivered else (number,))
    return dict(found)


def with_unnamed(found: sa.Select[Any]) -> sa.Select[Any]:
    """Those of these messages of whose last attempt some parts have no id, with the number of each such part."""
    its, columns = message_parts.c, messages.c
    is_last = sa.and_(
        its.campaign_id == columns.campaign_id,
        its.customer_id == columns.customer_id,
        its.attempt == columns.attempts,
        its.provider_id == UNNAMED,
    )
    return found.add_columns(its.number).join(message_parts, is_last).order_by(its.number)


def name(connection: Connection, part: Part, provider_id: str) -> None:
    """The gateway calls this one so; where a receipt does not say how, nobody else is to be taken for it."""
    its = message_parts.c
    is_it = sa.and_(
        its.campaign_id == part.attempt.campaign_id,
        its.customer_id == part.attempt.customer_id,
        its.attempt == part.attempt.number,
        its.number == part.number,
    )
    connection.execute(message_parts.update().where(is_it).values(provider_id=provider_id or NAMELESS))


def deliver(connection: Connection, found: Collection[Part]) -> None:
    """These are delivered."""
    if found:
        columns = message_parts.c
        is_one_of = sa.tuple_(columns.campaign_id, columns.customer_id, columns.attempt, columns.number).in_(
            [(*each.attempt, each.number) for each in found]
        )
        connection.execute(message_parts.update().where(is_one_of).values(delivered=True))
