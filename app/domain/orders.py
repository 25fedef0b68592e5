"""What is ordered from a task, and what it reports. Pure."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from app.domain.reject import Reason


class Outcome(StrEnum):
    """How a task for a shard ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # told to; the rest is for whoever starts next
    SLICE = "slice"  # its time is over; the rest is for the next order
    LATER = "later"  # all is done that can be done now; the rest is due at a time that is on record
    TAKEN = "taken"  # somebody else is at it
    HALTED = "halted"  # its campaign does not run, or is gone, or its gateway is drained
    FAILED = "failed"  # a person must act; the campaign says why
    BLOCKED = "blocked"  # the log cannot be written now, as on a full disk, or the database is away; to be tried again


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """What a task carries: which shard to send."""

    campaign_id: int
    number: int


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a task gives back."""

    order: ShardOrder
    outcome: Outcome
    reason: str = ""
    """Why it is blocked: a sentence as app/sentence.py stores it, or a text of the database."""


@dataclass(frozen=True, slots=True)
class PrepareOrder:
    """What a task carries: which campaign to prepare."""

    campaign_id: int

    @property
    def lease(self) -> str:
        """What who carries it out has."""
        return f"prepare {self.campaign_id}"


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What a task gives back."""

    order: PrepareOrder
    outcome: Outcome
    reason: str = ""
    """Why it is blocked: a sentence as app/sentence.py stores it, or a text of the database."""


@dataclass(frozen=True, slots=True)
class CensusOrder:
    """To count every audience that is not counted yet."""

    @property
    def lease(self) -> str:
        """What who carries it out has."""
        return "census"


@dataclass(frozen=True, slots=True)
class CensusReport:
    """How that ended."""

    order: CensusOrder
    outcome: Outcome
    reason: str = ""
    """Why it is blocked: a text of the database."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """News of a shard that is done: how many were not greeted, for each reason, never who."""

    order: ShardOrder
    counts: Counter[Reason]
