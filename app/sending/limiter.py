"""Keeps an account's rate: one for all who send over it, whichever processes and hosts they are.

The right to send is bought in slices of a tenth of a second from one row of the database (app/store/accounts.py), and
each part has its own instant in the slice. Who comes too late for an instant loses it: to catch up would put more into
one second than the account may send.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SLICE_S = 0.1
LATE_S = 0.025
"""How long after its instant a part may leave."""
SHARE = 1 / (1 + LATE_S + 0.005)
"""Of the rate: parts that leave as late as they may, followed by some that are on time, keep the rate even so. The rest
is for what happens on the way."""

Reserve = Callable[[int], Awaitable[tuple[float, float]]]
"""Speak for so many microseconds; when they begin and what time it is, seconds of one clock."""


@dataclass(slots=True)
class _Slice:
    begins: float
    """By our own clock."""
    parts: int
    used: int = 0

    @property
    def is_used_up(self) -> bool:
        return self.used >= self.parts

    @property
    def is_fresh(self) -> bool:
        """Whether there is time yet to buy the next one."""
        return 2 * self.used < self.parts


class Limiter:
    """For one who sends. `rate` in parts per second; `clock` in seconds."""

    def __init__(self, rate: float, reserve: Reserve, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = 1 / (rate * SHARE)
        self._slice_parts = max(1, int(rate * SLICE_S))
        self._reserve = reserve
        self._clock = clock
        self._slices: list[_Slice] = []
        """The one that is being used, and the next one."""

    async def buy(self, wanted: int) -> None:
        """Make sure that there is a slice, of as many parts as are wanted; and the next one in time, so that no instant
        between the two is lost."""
        debt = 0
        if self._slices and self._slices[0].is_used_up:
            used_up = self._slices.pop(0)
            debt = used_up.used - used_up.parts if not self._slices else 0
        bought = sum(each.parts - each.used for each in self._slices)
        if len(self._slices) > 1 or (self._slices and (self._slices[0].is_fresh or bought >= wanted)):
            return
        parts = max(1, min(self._slice_parts, wanted - bought)) + debt
        asked = self._clock()
        begins, now = await self._reserve(round(parts * self._every_s * 1e6))
        # The other clock was read between the question and the answer. Rather late than early.
        answered = self._clock()
        self._slices.append(_Slice(answered + begins - now if begins > now else asked, parts, debt))

    def free(self) -> tuple[int, float]:
        """How many parts may leave now; where none may, in how many seconds to ask again."""
        if not self._slices:
            return 0, 0.0
        found = self._slices[0]
        since = self._clock() - found.begins
        if since < 0:
            return 0, -since
        found.used = max(found.used, min(found.parts, int((since - LATE_S) / self._every_s)))
        reached = min(found.parts, int(since / self._every_s) + 1)
        if reached > found.used:
            return reached - found.used, 0.0
        return 0, max(0.0, found.begins + found.used * self._every_s - self._clock())

    def spend(self, parts: int) -> None:
        """So many left now. A message of more parts than were free takes the rest from what comes next, or owes it."""
        for each in self._slices:
            taken = min(parts, each.parts - each.used) if each is not self._slices[-1] else parts
            each.used += taken
            parts -= taken
