"""A chunk: some customers of a shard in a row, who are intended, submitted and put on record together. Pure."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from app.domain.delivery import Delivery
from app.domain.reject import Reject
from app.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class Chunk:
    """Everybody with `after_id < id <= to_id`: those who get a message, in ascending order of ids, and the rejects."""

    after_id: int
    to_id: int
    ids: Sequence[int]
    mobiles: Sequence[int]
    parts: Sequence[int]
    """How many SMS each one's text is, 1 to 255."""
    rejects: Sequence[Reject] = ()
    tally: Tally = field(default_factory=Tally)
    """How many got it by which form of address, and how many did not."""


class Entry(NamedTuple):
    """A row of the ledger as it is first written."""

    customer_id: int
    mobile: int
    parts: int
    state: Delivery
    submitted_at: datetime
    provider_id: str = ""
    """'' where the gateway named none."""
    error: str = ""
    """The gateway's own name for why not, 64 characters at most."""
    due_at: datetime | None = None
    attempts: int = 1
    """0 where it was not submitted, or not looked at."""
    part_ids: tuple[str, ...] = ()
    """As in gateways/base.Answer."""


class News(NamedTuple):
    """What became known of a message that has a row in the ledger."""

    customer_id: int
    epoch: int
    """Under which it was submitted: an answer to an earlier attempt says nothing of a later one."""
    state: Delivery
    provider_id: str = ""
    error: str = ""
    due_at: datetime | None = None
    """Of `retry`, where it was no attempt: not before; None: after a pause that grows with the attempts."""
    part_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Counts:
    """How many messages came into each state, less those that left it."""

    by_state: dict[Delivery, int] = field(default_factory=dict)

    def move(self, before: Delivery | None, after: Delivery, count: int = 1) -> None:
        """So many went from one state to another; `before` is None for those who were in none."""
        if before is not None:
            self.by_state[before] = self.by_state.get(before, 0) - count
        self.by_state[after] = self.by_state.get(after, 0) + count


def pack(values: Sequence[int], kind: str) -> bytes:
    """Unsigned numbers of 1 (B), 4 (I) or 8 (Q) octets each, little-endian."""
    packed = array(kind, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(packed: bytes, kind: str) -> list[int]:
    """What `pack` packed."""
    return unpacked([packed], kind).tolist()


def unpacked(pieces: Iterable[bytes], kind: str) -> "array[int]":
    """The same of several, one after the other, each number in its few octets still."""
    values = array(kind)
    for each in pieces:
        values.frombytes(each)
    if sys.byteorder == "big":
        values.byteswap()
    return values
