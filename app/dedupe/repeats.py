"""Who of those that share a number comes first. Pure, in bulk: arrays of a stretch of all numbers, ascending.

A stretch ends at some number `up_to`, and more who have this one may come in the next. So whoever has the lowest id of
those seen is held, and takes part in the next stretch; None is the last one, after which nobody comes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.dedupe.packed_numbers import Numbers

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


@dataclass(frozen=True, slots=True)
class Repeats:
    """Who is not to be sent, at the same places the keeper, the lowest id with this number, and the number."""

    ids: NDArray[np.uint32]
    keepers: NDArray[np.uint32]
    numbers: NDArray[np.uint64]

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        for start in range(0, len(self.ids), 2**16):
            some = slice(start, start + 2**16)
            yield from zip(
                self.ids[some].tolist(), self.keepers[some].tolist(), self.numbers[some].tolist(), strict=True
            )


def without_lowest(people: Numbers, up_to: int | None) -> tuple[Repeats, Numbers]:
    """Everyone but the lowest id of each number; and who is to be held."""
    order = np.lexsort(people)
    ids, numbers = people[0][order], people[1][order]
    first = _begins(numbers)
    hold = first & (numbers == np.uint64(up_to)) if up_to is not None else np.zeros(len(ids), np.bool_)
    keepers = _of_first(ids, first)
    later = Repeats(ids[~first].astype(np.uint32), keepers[~first].astype(np.uint32), numbers[~first])
    return later, (ids[hold], numbers[hold])


def gather(parts: Sequence[Repeats]) -> Repeats:
    """All of several stretches, ascending by id. Who was held as the lowest of a number may turn out not to be: the
    keeper is the lowest whom any stretch knew of."""
    ids, keepers, numbers = (
        np.concatenate([getattr(each, name) for each in parts] or [np.zeros(0, kind)])
        for name, kind in (("ids", np.uint32), ("keepers", np.uint32), ("numbers", np.uint64))
    )
    order = np.lexsort((keepers, numbers))
    ids, numbers = ids[order], numbers[order]
    keepers = _of_first(keepers[order], _begins(numbers))
    order = np.argsort(ids)
    return Repeats(ids[order], keepers[order], numbers[order])


def _begins(numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Where each number of a sorted array stands first."""
    first = np.ones(len(numbers), np.bool_)
    first[1:] = numbers[1:] != numbers[:-1]
    return first


def _of_first(values: NDArray[Any], first: NDArray[np.bool_]) -> NDArray[Any]:
    """For each place the value at the last place before it, or there, that is a first one."""
    return cast(NDArray[Any], values[first][first.cumsum() - 1])
