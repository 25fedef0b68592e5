"""Whatever happens in whatever order: nobody is submitted to twice, nobody is in no state or in two, counts add up."""

import os

import pytest

from app.store import receipts
from tests.model.exploring import explore
from tests.model.world import Budget

pytestmark = pytest.mark.timeout(900)
NOTHING = dict.fromkeys(Budget.__slots__, 0) | {"claims": 2}
"""Two holders, and all goes well but that they come when they like."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """What is due later is due now, and no receipt is too old: time belongs to the explorer."""
    monkeypatch.setattr("app.domain.delivery.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(receipts, "KEPT_FOR", receipts.KEPT_FOR * 10_000)


ONE_TWO, TWO_ONE, ONES, TWO, ONE = ((1,), (2, 3)), ((1, 2), (3,)), ((1,), (2,)), ((1, 2),), ((1,),)
"""Customers in chunks."""
WORLDS = {
    "a kill, and a lease that ends under its holder": (TWO_ONE, {"kills": 1, "expiries": 1}),
    "a lease that ends under its holder, of chunks the other way round": (ONE_TWO, {"expiries": 1}),
    "a kill and a pause": (ONES, {"kills": 1, "expiries": 1, "pauses": 1}),
    "an answer that is late or never comes": (ONE_TWO, {"timeouts": 1, "claims": 1}),
    "the same and a receipt, before or after it": (ONES, {"timeouts": 1, "receipts": 1, "claims": 1}),
    "receipts before and after their answers, one of them twice": (TWO, {"receipts": 3, "claims": 1}),
    "a message in doubt after a kill, and a receipt that proves it": (
        TWO,
        {"kills": 1, "expiries": 1, "receipts": 1},
    ),
    "a commit whose answer is lost, and a lease that ends meanwhile": (ONES, {"repeats": 2, "expiries": 1}),
    "a refusal for now, and a holder that is told to stop": (ONES, {"refusals": 1, "stops": 1}),
    "a refusal for now, and a kill": (TWO, {"refusals": 1, "kills": 1, "expiries": 1}),
    "one in doubt whom somebody has tried again, before and after an answer": (ONE, {"timeouts": 1, "retries": 1}),
    "the same under a holder who shows no life for long": (
        ONES,
        {"timeouts": 1, "retries": 1, "expiries": 1, "claims": 1},
    ),
    "a kill, and somebody has those in doubt tried again before a receipt": (
        ONE,
        {"kills": 1, "expiries": 1, "retries": 1, "receipts": 1},
    ),
    "one refused for good, or for now, whom somebody has tried again": (
        ONES,
        {"rejections": 1, "refusals": 1, "retries": 1},
    ),
    "one undelivered, tried again, and the receipts of both attempts, one of them twice": (
        ONE,
        {"receipts": 3, "failures": 1, "retries": 1},
    ),
}
DEEP = {
    "three customers, and all that a shard can meet": (
        ONE_TWO,
        {"kills": 1, "expiries": 1, "pauses": 1, "timeouts": 1},
    ),
    "three customers, and all that a message can meet": (
        TWO_ONE,
        {"kills": 1, "timeouts": 1, "receipts": 2, "refusals": 1},
    ),
}
"""Some hours: `MODEL=deep`."""
if os.environ.get("MODEL") == "deep":
    WORLDS |= DEEP


@pytest.mark.parametrize("name", WORLDS)
def test_it_holds_in_every_order_of(name):
    chunks, rare = WORLDS[name]

    found = explore(chunks, Budget(**(NOTHING | rare)))

    print(f"{name}: {found}")
    assert found.orders > found.worlds > 100
