"""A small world: two holders of a shard and a network. What the database holds of it is known by a number.

Holders do what app/sending does, with its own functions and those of app/store, one step at a time; the network and the
clock belong to the explorer. A world can be copied, so that each of several next steps is tried.
"""

import pickle
from dataclasses import dataclass, field
from typing import cast

from app.domain.chunk import Chunk
from app.sending.underway import Record, Underway
from app.store.ledger import Hold


@dataclass(slots=True)
class Submitted:
    """One message at the network."""

    customer_id: int
    holder: int
    life: int
    """Of the holder: an answer reaches the life that submitted, or nobody."""
    is_taken: bool
    attempt: int = 1
    is_refused: bool = False
    """For good; else one that is not taken is so for now."""
    answers: int = 0
    has_timed_out: bool = False
    receipts: int = 0
    has_failed: bool = False
    """By its first receipt."""


@dataclass(slots=True)
class Holder:
    """A process that sends the shard; `hold` is None while it has none."""

    life: int = 0
    hold: Hold | None = None
    underway: Underway | None = None
    feeds: bool = True
    reached: int = 0
    """Up to whom it made chunks."""
    intended: list[tuple[Chunk, list[str]]] = field(default_factory=list)
    """Committed, and not yet known to the loop."""
    recording: Record | None = None
    """The same for a record."""


@dataclass(slots=True)
class Budget:
    """How often each of the rare events may happen."""

    kills: int = 1
    expiries: int = 1
    pauses: int = 1
    stops: int = 0
    refusals: int = 0
    timeouts: int = 1
    receipts: int = 2
    claims: int = 3
    repeats: int = 0
    """Transactions whose commit got through and whose answer did not."""
    rejections: int = 0
    """Refusals for good."""
    failures: int = 0
    """First receipts that say that a message did not arrive."""
    retries: int = 0
    """By a person, of all that are in one state."""


@dataclass(slots=True)
class World:
    """All of it."""

    database: int
    """Of all that were ever seen."""
    chunks: tuple[tuple[int, ...], ...]
    budget: Budget
    holders: list[Holder] = field(default_factory=lambda: [Holder(), Holder()])
    network: list[Submitted] = field(default_factory=list)
    finals: dict[int, str] = field(default_factory=dict)
    wanted_again: dict[int, int] = field(default_factory=dict)
    """How often a person had somebody tried again, who may have the message already."""
    is_paused: bool = False

    def copied(self) -> "World":
        return cast(World, pickle.loads(pickle.dumps(self)))

    def key(self) -> object:
        """Two worlds with one key have the same future."""
        return (
            self.database,
            tuple(map(_key_of, self.holders)),
            tuple(
                (
                    each.customer_id, each.holder, each.life, each.is_taken, each.attempt, each.is_refused,
                    each.answers, each.has_timed_out, each.receipts, each.has_failed,
                )
                for each in self.network
            ),
            self.is_paused,
            tuple(sorted(self.wanted_again.items())),
            tuple(getattr(self.budget, name) for name in Budget.__slots__),
        )  # fmt: skip


def clock() -> float:
    """Time stands still."""
    return 0.0


def _key_of(holder: Holder) -> object:
    underway = holder.underway
    return (
        holder.life,
        holder.hold,
        holder.feeds,
        holder.reached,
        len(holder.intended),
        holder.recording and (holder.recording.after_id, holder.recording.to_id),
        underway
        and (
            tuple((each.chunk.after_id, tuple(each.answers), each.unsubmitted) for each in underway._chunks),
            tuple(each.token for each in underway._queue),
            tuple(sorted(underway._in_ledger)),
            tuple((*each[:4], each.due_at is None) for each in underway.news),
        ),
    )
