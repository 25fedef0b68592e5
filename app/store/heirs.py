"""Rows of `heirs`: who gets the message for a number whose keeper got none, see app/store/tables.py."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.tables import heirs, shards

ASKED_AT_ONCE = 1_000


def of(connection: Connection, campaign_id: int, keeper_ids: Collection[int]) -> dict[int, int | None]:
    """The heirs of those keepers who got no message; None where there is none yet."""
    asked = sorted(keeper_ids)
    found: dict[int, int | None] = {}
    for at in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[at : at + ASKED_AT_ONCE]
        rows = connection.execute(
            sa.select(heirs.c.keeper_id, heirs.c.heir_id).where(
                heirs.c.campaign_id == campaign_id, heirs.c.keeper_id.in_(some)
            )
        )
        found.update((row.keeper_id, row.heir_id) for row in rows)
    return found


def inherited(connection: Connection, campaign_id: int, after_id: int, to_id: int) -> list[int]:
    """Keepers with `after_id < id <= to_id` whose message somebody else got."""
    in_range = sa.and_(heirs.c.keeper_id > after_id, heirs.c.keeper_id <= to_id)
    query = sa.select(heirs.c.keeper_id).where(heirs.c.campaign_id == campaign_id, in_range)
    return list(connection.execute(query.where(heirs.c.heir_id != heirs.c.keeper_id)).scalars())


def claim(connection: Connection, campaign_id: int, wanted: Mapping[int, int], shard_of: Mapping[int, int]) -> set[int]:
    """Make these customers heirs, by keeper; the keepers of whom they are heirs now.

    Nobody inherits from a keeper whose turn has passed, be it that they are intended and not on record yet, unless it
    is noted that they got no message. `shard_of` is the
    shard that each keeper is in; these are locked until the transaction ends, so that no turn of a keeper passes
    meanwhile. Call it first in its transaction, for what is read before is old.
    """
    passed = connection.execute(
        sa.select(shards.c.number, shards.c.last_id, shards.c.intended_id)
        .where(shards.c.campaign_id == campaign_id, shards.c.number.in_(sorted(set(shard_of.values()))))
        .order_by(shards.c.number)
        .with_for_update()
    )
    last_id = {row.number: max(row.last_id, row.intended_id) for row in passed}
    known = of(connection, campaign_id, wanted)
    new = {each for each in wanted if each not in known and each > last_id[shard_of[each]]}
    open_ = {keeper for keeper, heir in known.items() if heir is None}
    _insert(connection, campaign_id, {keeper: wanted[keeper] for keeper in new})
    for keeper in open_:
        _set(connection, campaign_id, keeper, wanted[keeper])
    return new | open_ | {keeper for keeper, heir in known.items() if heir == wanted[keeper]}


def open_to(connection: Connection, campaign_id: int, keeper_ids: Collection[int]) -> None:
    """These keepers, of whom nothing is noted yet, got no message."""
    _insert(connection, campaign_id, dict.fromkeys(keeper_ids))


def disinherit(connection: Connection, campaign_id: int, keeper_id: int) -> None:
    """His heir got no message either."""
    _set(connection, campaign_id, keeper_id, None)


def _insert(connection: Connection, campaign_id: int, rows: Mapping[int, int | None]) -> None:
    if rows:
        values = [{"campaign_id": campaign_id, "keeper_id": keeper, "heir_id": rows[keeper]} for keeper in sorted(rows)]
        connection.execute(heirs.insert(), values)


def _set(connection: Connection, campaign_id: int, keeper_id: int, heir_id: int | None) -> None:
    is_his = sa.and_(heirs.c.campaign_id == campaign_id, heirs.c.keeper_id == keeper_id)
    connection.execute(heirs.update().where(is_his).values(heir_id=heir_id))
