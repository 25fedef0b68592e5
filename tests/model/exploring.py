"""Goes through every world that can be reached, and counts in how many orders."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter

from app.domain.sharding import IdRange
from app.store import campaigns
from app.store.database import open_database, writing
from tests.model.explorer import Explorer
from tests.model.world import Budget, World
from tests.tables import give_tables


@dataclass(frozen=True, slots=True)
class Found:
    """What there was to be seen."""

    worlds: int
    steps: int
    databases: int
    orders: int
    """Ways from the beginning to an end at which nothing more can happen."""


@contextmanager
def explorer(customers: int) -> Iterator[Explorer]:
    """On an empty database in memory, with one campaign of one shard of so many customers."""
    database = open_database("sqlite://", lease_s=10**6)  # one ends when the explorer says so
    try:
        give_tables(database)
        with writing(database) as connection:
            shard = [IdRange(0, 0, customers)]
            campaigns.insert(connection, "a", "{name}", shard, allow_duplicates=True, gateway="net")
        yield Explorer(database)
    finally:
        database.dispose()


def explore(chunks: tuple[tuple[int, ...], ...], budget: Budget) -> Found:
    """Every order of events for these chunks of customers. Raises AssertionError with the order that led to it."""
    with explorer(max(chunks[-1])) as at:
        first = World(at.current(), chunks, budget)
        numbers = {first.key(): 0}
        after: dict[int, set[int]] = {0: set()}
        todo: list[tuple[World, int, tuple[str, ...]]] = [(first, 0, ())]
        steps = 0
        while todo:
            world, number, path = todo.pop()
            for name, make in list(at.steps(world)):
                following = world.copied()
                steps += 1
                try:
                    make(following)
                    key = following.key()
                    is_new = key not in numbers
                    if is_new:
                        at.check(following)
                except AssertionError as error:
                    raise AssertionError(f"{error}, after: {', then '.join([*path, name])}") from error
                if is_new:
                    numbers[key] = len(numbers)
                    after[numbers[key]] = set()
                    todo.append((following, numbers[key], (*path, name)))
                if numbers[key] != number:  # a step that changes nothing is none
                    after[number].add(numbers[key])
        return Found(len(numbers), steps, at.databases, _orders(after))


def _orders(after: dict[int, set[int]]) -> int:
    """Ways through it. Raises CycleError where there are endless ones."""
    ways: dict[int, int] = {}
    for each in TopologicalSorter(after).static_order():
        ways[each] = sum(ways[one] for one in after[each]) or 1
    return ways[0]
