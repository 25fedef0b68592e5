"""What must hold in a world, in whatever order its events came. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.domain.delivery import Delivery
from tests.model.world import World

FINAL = {"delivered", "undelivered", "expired", "refused"}
TAKEN = {"accepted", "delivered", "undelivered"}
STATES = [each.value for each in Delivery]


class Row(NamedTuple):
    """Of the ledger."""

    state: str
    epoch: int
    attempts: int
    provider_id: str | None


def check(world: World, shard: Sequence[Any], rows: Mapping[int, Row], chunks: Sequence[Sequence[Any]]) -> None:
    """At any moment. What `shard` and `chunks`, the intents, are of: see explorer.py."""
    people = [each for ids in world.chunks for each in ids]
    intended = [int.from_bytes(ids[at : at + 4], "little") for *_, ids in chunks for at in range(0, len(ids), 4)]
    reached = max(shard[1:3])
    places = Counter([*rows]) + Counter(intended) + Counter(each for each in people if each > reached)
    assert places == Counter(people), f"in no place, or in two: {places}"
    states = Counter(row.state for row in rows.values())
    states["submitting"] += len(intended)
    counted = dict(zip(STATES, shard[7:], strict=True))
    assert all(counted[each] == states[each] for each in STATES), f"{counted} counted, {states} are"
    assert shard[6] == len([each for each in people if each <= reached])
    assert shard[0] != "finished" or not counted["retry"] + counted["submitting"], "finished, and some are to be sent"
    taken = Counter(each.customer_id for each in world.network if each.is_taken)
    twice = {each for each, count in taken.items() if count > 1 + world.wanted_again.get(each, 0)}
    assert not twice, f"submitted twice: {twice}"
    assert all(each.customer_id <= reached for each in world.network), "submitted before it was intended"
    for customer_id, state in world.finals.items():
        now = rows[customer_id].state if customer_id in rows else None
        assert now == state, f"{customer_id} was {state}, and is {now}"
    world.finals.update({each: row.state for each, row in rows.items() if row.state in FINAL})


def check_news(world: World, before: Mapping[int, Row], after: Mapping[int, Row]) -> None:
    """After an answer or a receipt came on record: it is of the last attempt, but where that is in doubt: then any
    that the gateway took is the message."""
    for customer_id, row in after.items():
        was = before[customer_id]
        if row.state != was.state and row.state in TAKEN and was.state != "unknown" and row.provider_id:
            its = world.network[int(row.provider_id.removeprefix("id"))]
            assert its.attempt == was.attempts, f"what came of attempt {its.attempt} is taken for {was.attempts}"
