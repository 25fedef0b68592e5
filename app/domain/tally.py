"""How many people of a page, a shard or a campaign had which end. Pure."""

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Self

from app.domain.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts that add up: those of a campaign are the sum of its shards'. A shard that is finished has an audience of
    `sent + rejected + gone`."""

    sent: int = 0
    """`male + female + neutral`."""
    male: int = 0
    female: int = 0
    neutral: int = 0
    """Greeted in a form for whoever it may be, for their gender is not known."""
    rejected: int = 0
    gone: int = 0
    """There at the trigger and no more when their turn came; 0 until the shard is finished."""
    audience: int | None = 0
    """There at the trigger; None until they are counted, and so in every sum with one of these."""
    submitting: int = 0
    """From here on the states of delivery.py, whose sum is `sent` in a campaign with a ledger; all 0 in others."""
    retry: int = 0
    accepted: int = 0
    delivered: int = 0
    undelivered: int = 0
    expired: int = 0
    refused: int = 0
    unknown: int = 0

    @property
    def met(self) -> int:
        """Whose turn came while they were there."""
        return self.sent + self.rejected

    def of(self, state: Delivery) -> int:
        """How many messages are in this state of the ledger."""
        count: int = getattr(self, state.value)
        return count

    @property
    def states(self) -> dict[Delivery, int]:
        """The same for every state that one is in."""
        return {each: self.of(each) for each in Delivery if self.of(each)}

    @property
    def taken(self) -> int:
        """Messages that the gateway said it has."""
        return sum(self.of(each) for each in Delivery if each.is_taken)

    @property
    def may_learn(self) -> int:
        """Messages of which a receipt may say something yet."""
        return self.submitting + self.accepted + self.unknown

    @property
    def shown_as_sent(self) -> int:
        """Messages in the log; of a campaign with a ledger those that the gateway said it has."""
        return self.taken if self.states else self.sent

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(_add, _counts(self), _counts(other)))


_counts = attrgetter(*(each.name for each in fields(Tally)))


def _add(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
