"""Some customers who stand for all: what a preview and the doctor look at."""

from collections import deque
from collections.abc import Sequence

from sqlalchemy import Connection

from app.domain.people import Customer
from app.store import customers

SAMPLE = 10_000
READ_AT_ONCE = 20
"""Customers of a sample that stand beside each other."""


def sample_of(connection: Connection, audience: str, ids: Sequence[int], columns: Sequence[str]) -> list[Customer]:
    """The same of those with these ids, which ascend, who are there."""
    count = min(SAMPLE, len(ids))
    chosen = [ids[at * len(ids) // count] for at in range(count)]
    return list(customers.listed(connection, audience, chosen, columns))


def sample(connection: Connection, audience: str, max_id: int, columns: Sequence[str]) -> list[Customer]:
    """Up to SAMPLE customers in id order, everybody where there are fewer, evenly spread over the ids that are taken.

    The ids are halved again and again, and each half gives its first few: so wherever customers are, their
    neighbourhoods are looked at in turn, and where nobody lives costs one short look. Every read goes by the key.
    """
    people: list[Customer] = []
    ranges = deque([(0, max_id)])
    while ranges and len(people) < SAMPLE:
        after_id, to_id = ranges.popleft()
        limit = min(READ_AT_ONCE, SAMPLE - len(people))
        found = customers.page(connection, audience, after_id, to_id, limit, columns)
        people += found
        if len(found) == limit and (last_id := found.ids[-1]) < to_id:
            middle = (last_id + to_id) // 2
            ranges += [each for each in ((last_id, middle), (middle, to_id)) if each[0] < each[1]]
    return sorted(people)
