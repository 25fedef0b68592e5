"""Some of an audience in place of all of it: those who have certain ids, or a sample. Pure."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from app.domain.chunk import pack

EVERYBODY = ""
"""What a campaign is stored with that made no choice."""
HIGHEST_ID = 2**32 - 1


@dataclass(frozen=True, slots=True)
class These:
    """Those who have these ids, which ascend, each once, from 1 to HIGHEST_ID."""

    ids: Sequence[int]

    @property
    def key(self) -> str:
        """The same for the same ids alone: what is compared when a campaign's name comes again."""
        return f"ids {blake2b(pack(self.ids, 'I'), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Sample:
    """So many, chosen by the campaign's name: they are the same ones each time, as long as the audience is."""

    count: int

    @property
    def key(self) -> str:
        """See These."""
        return f"sample {self.count}"


Choice = These | Sample


def these(ids: Iterable[int]) -> These:
    """Ids in any order, some of them perhaps twice."""
    return These(array("I", sorted(set(ids))))


def next_of(ids: Sequence[int], after_id: int) -> int | None:
    """The lowest of these above that one, None where there is none."""
    place = bisect_right(ids, after_id)
    return ids[place] if place < len(ids) else None


def is_most_of_its_range(ids: Sequence[int]) -> bool:
    """Whether to read everybody from the first to the last of them is quicker than to ask for each."""
    return bool(ids) and ids[-1] - ids[0] < 2 * len(ids)
