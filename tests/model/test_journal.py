"""Whatever happens in whatever order: each message is on record in one log, and what is not on record is cut off."""

import os

import pytest

from app.domain.sharding import IdRange
from app.store import campaigns
from app.store.database import open_database, writing
from tests.model.journal import Budget, Databases, World
from tests.tables import give_tables

pytestmark = pytest.mark.timeout(900)
WORLDS = {
    "a holder that falls silent and wakes up": (2, Budget(claims=3, kills=0, expiries=1)),
    "two holders that fall silent, one after the other": (2, Budget(claims=4, kills=0, expiries=2)),
    "a kill, and a lease that ends": (2, Budget(claims=4, kills=1, expiries=1)),
    "a kill, a lease that ends, and a pause": (1, Budget(claims=3, kills=1, expiries=1, pauses=1)),
    "a kill, a lease that ends, and a cancel": (2, Budget(claims=3, kills=1, expiries=1, cancels=1)),
    "a folder that is given up, and comes back": (2, Budget(claims=4, kills=0, expiries=1, abandons=1)),
    "a folder that is given up, and a kill": (2, Budget(claims=4, kills=1, expiries=1, abandons=1)),
    "a folder that is given up, and a pause": (1, Budget(claims=3, kills=0, expiries=2, pauses=1, abandons=1)),
    "two kills while logs are cut": (1, Budget(claims=3, kills=2, expiries=1)),
}
if os.environ.get("MODEL") == "deep":
    WORLDS["all of it"] = (3, Budget(claims=5, kills=2, expiries=2, pauses=1, cancels=1, abandons=1))


def explore(people: int, budget: Budget) -> tuple[int, int]:
    """Every order of events; how many worlds and ends there were. Raises AssertionError with the order that led to
    it."""
    database = open_database("sqlite://", lease_s=10**6)
    try:
        give_tables(database)
        with writing(database) as connection:
            campaigns.insert(connection, "a", "{name}", [IdRange(0, 0, people)], allow_duplicates=True, gateway="log")
        at = Databases(database, people)
        first = World(at.current(), budget=budget)
        known, ends = {first}, 0
        todo: list[tuple[World, tuple[str, ...]]] = [(first, ())]
        while todo:
            world, path = todo.pop()
            name = ""
            try:
                at.check(world)
                followers = 0
                for name, make in at.steps(world):
                    following = make()
                    followers += following != world
                    if following not in known:
                        known.add(following)
                        todo.append((following, (*path, name)))
                if not followers:
                    ends += 1
                    at.check_end(world)
            except AssertionError as error:
                raise AssertionError(f"{error}, after: {', then '.join([*path, name])}") from error
        return len(known), ends
    finally:
        database.dispose()


@pytest.mark.parametrize("name", WORLDS)
def test_it_holds_in_every_order_of(name):
    worlds, ends = explore(*WORLDS[name])

    print(f"{name}: {worlds} worlds, {ends} ends")
    assert worlds > 100
    assert ends
