"""Who of those that share a number comes first. Pure, in bulk: arrays of a stretch of all numbers, ascending.

A stretch ends at some number `up_to`, and more who have this one may come in the next. So whoever has the lowest id of
those seen is held, and takes part in the next stretch; None is the last one, after which nobody comes.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.domain.packed_numbers import Numbers

NOBODY: Numbers = np.zeros(0, np.uint64), np.zeros(0, np.uint64)


def repeated(parts: Sequence[NDArray[np.uint64]], up_to: int | None) -> NDArray[np.uint64]:
    """The numbers that stand in the parts more than once, and the last one of the stretch; ascending, each once."""
    last = np.array([] if up_to is None else [up_to, up_to], np.uint64)
    every = np.concatenate([*parts, last])
    every.sort()
    # Not np.unique: it loads numpy.ma, for 30 ms.
    is_same = every[1:] == every[:-1]
    is_first_of_several = is_same.copy()
    is_first_of_several[1:] &= ~is_same[:-1]
    return cast(NDArray[np.uint64], every[:-1][is_first_of_several])


def without_lowest(people: Numbers, up_to: int | None) -> tuple[NDArray[np.uint64], Numbers]:
    """The ids of everyone but the lowest of each number; and who is to be held."""
    order = np.lexsort(people)
    ids, numbers = people[0][order], people[1][order]
    first = np.ones(len(ids), np.bool_)
    first[1:] = numbers[1:] != numbers[:-1]
    hold = first & (numbers == np.uint64(up_to)) if up_to is not None else np.zeros(len(ids), np.bool_)
    return ids[~first], (ids[hold], numbers[hold])


class Marks:
    """A set of ids up to `top_id`, a bit each. The kernel gives memory only to the pages where one is set."""

    def __init__(self, top_id: int) -> None:
        self._bits = np.zeros(top_id // 8 + 1, np.uint8)

    def add(self, ids: NDArray[np.uint64]) -> None:
        np.bitwise_or.at(self._bits, ids >> np.uint64(3), np.uint8(1) << (ids & np.uint64(7)).astype(np.uint8))

    def __iter__(self) -> Iterator[int]:
        """In ascending order."""
        for start in range(0, len(self._bits), 2**16):
            some = self._bits[start : start + 2**16]
            if some.any():
                yield from (np.flatnonzero(np.unpackbits(some, bitorder="little")) + 8 * start).tolist()
