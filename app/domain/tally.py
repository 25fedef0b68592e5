"""How many people of a page, a shard or a campaign had which end. Pure."""

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Self


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

    @property
    def met(self) -> int:
        """Whose turn came while they were there."""
        return self.sent + self.rejected

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(_add, _counts(self), _counts(other)))


_counts = attrgetter(*(each.name for each in fields(Tally)))


def _add(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
