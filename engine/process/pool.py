"""Decides which children to start, and when. Pure: values in, values out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
QUICK_DEATH_S = 1.0
"""A child that lived shorter than this, or was never ready, died at its start."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a child in this slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a slot's child died at its start, and when the last one did (monotonic seconds)."""

    count: int
    at: float

    @property
    def delay_s(self) -> float:
        """The first death is made good at once; then 1 s, 2 s, 4 s … 30 s."""
        # a slot may fail for weeks, and 2**1024 is no float any more
        doublings = min(self.count - 2, 5)
        return 0.0 if self.count < 2 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**doublings)


def plan(alive: Collection[int], slots: Collection[int], failures: Mapping[int, Failures], now: float) -> list[Spawn]:
    """Next steps towards a child in every slot, in the order of `slots`; a slot that keeps failing waits."""
    return [
        Spawn(slot)
        for slot in slots
        if slot not in alive and (slot not in failures or now >= failures[slot].at + failures[slot].delay_s)
    ]


def after_death(before: Failures | None, was_ready: bool, lived_s: float, now: float) -> Failures | None:
    """A slot's record once its child is gone; None when that child had begun its work in good order."""
    if was_ready and lived_s >= QUICK_DEATH_S:
        return None
    return Failures((before.count if before else 0) + 1, now)
