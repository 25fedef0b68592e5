"""Finds whom of an audience a choice means at this moment: those of some ids who are there, or a sample."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.domain.choice import Choice, Sample, is_most_of_its_range
from app.store import customers

IDS_AT_ONCE = 50_000


def choose(database: Engine, audience: str, choice: Choice, name: str) -> Sequence[int]:
    """Their ids, ascending. Of a sample everybody is looked at, a second for two million, and who is in it goes by the
    name, of a campaign, and the id: so a second look finds the same ones."""
    if isinstance(choice, Sample):
        return _sample(database, audience, choice.count, name)
    return _there(database, audience, choice.ids)


def _there(database: Engine, audience: str, ids: Sequence[int]) -> Sequence[int]:
    found = array("I")
    with database.connect() as connection:
        for at in range(0, len(ids), IDS_AT_ONCE):
            some = ids[at : at + IDS_AT_ONCE]
            if is_most_of_its_range(some):
                wanted = {*some}
                there = customers.ids_between(connection, audience, some[0] - 1, some[-1])
                found.extend(sorted(wanted.intersection(there)))
            else:
                found.extend(sorted({*customers.ids_among(connection, audience, some)}))
    return found


def _sample(database: Engine, audience: str, count: int, name: str) -> Sequence[int]:
    key = np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest()))
    ids = np.zeros(0, np.uint64)
    after_id = 0
    with database.connect() as connection:
        while more := customers.ids_after(connection, audience, after_id, IDS_AT_ONCE):
            after_id = more[-1]
            ids = _lowest(np.concatenate([ids, np.unique(np.array(more, np.uint64))]), key, count)
    return array("I", np.sort(ids).astype(np.uint32).tobytes())


def _lowest(ids: NDArray[np.uint64], key: np.uint64, count: int) -> NDArray[np.uint64]:
    """Those whose ids come first where the key has mixed them up."""
    if len(ids) <= count:
        return ids
    return ids[np.argpartition(_mixed(ids + key), count - 1)[:count]]


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each number's own, far from those of its neighbours. Source: SplitMix64, prng.di.unimi.it/splitmix64.c."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
