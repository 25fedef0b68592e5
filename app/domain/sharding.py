"""How ids are cut into shards. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IdRange:
    """Shard `number`: the ids with `after_id < id <= to_id`."""

    number: int
    after_id: int
    to_id: int


class Stretch(Protocol):
    """Something that has a range of ids, as a shard."""

    @property
    def after_id(self) -> int: ...

    @property
    def to_id(self) -> int: ...


def split(next_id: Callable[[int], int | None], max_id: int, shard_size: int) -> Iterator[IdRange]:
    """The ranges in which somebody lives, ascending: `number * size < id <= (number + 1) * size`. The last one ends at
    `max_id` itself: who is added to the table later is not in it.

    `next_id(id)` is the lowest id above this one, None where there is none; it is asked once for each range that is
    there, and once at the end where that is not a range's own.
    """
    end = 0
    while end < max_id and (found := next_id(end)) is not None and found <= max_id:
        number = (found - 1) // shard_size
        end = min((number + 1) * shard_size, max_id)
        yield IdRange(number, number * shard_size, end)


def count_within(ids: Sequence[int], stretch: Stretch) -> int:
    """How many of these, which ascend, are in there."""
    return bisect_right(ids, stretch.to_id) - bisect_right(ids, stretch.after_id)


def spans(stretches: Sequence[Stretch]) -> list[tuple[int, int]]:
    """The same ids in as few ranges `after_id < id <= to_id` as there can be; the stretches ascend."""
    found: list[tuple[int, int]] = []
    for each in stretches:
        if found and found[-1][1] == each.after_id:
            found[-1] = (found[-1][0], each.to_id)
        else:
            found.append((each.after_id, each.to_id))
    return found


def gaps(stretches: Sequence[Stretch]) -> list[tuple[int, int]]:
    """The ids from 1 to the last stretch's end that are in none of them, as ranges `after_id < id <= to_id`."""
    return [(end, begin) for (_, end), (begin, _) in pairwise([(0, 0), *spans(stretches)]) if end < begin]


def is_within(number: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether the id is in one of the ranges, which ascend."""
    place = bisect_left(ranges, number, key=lambda each: each[1])
    return place < len(ranges) and ranges[place][0] < number
