"""Keeps an account's rate: one for all who send over it, whichever processes and hosts they are.

The right to send is bought in slices of a tenth of a second from one row of the database (app/store/accounts.py), and
each part has its own instant in the slice. Who comes too late for an instant loses it: to catch up would put more into
one second than the account may send. The more others have spoken for, the smaller a slice: who is killed takes two of
them along.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from app.gateways.base import Network
from app.store import accounts
from app.store.accounts import Reserved
from app.store.faults import waited_for, write

SLICE_S = 0.1
LATE_S = 0.025
"""How long after its instant a part may leave."""
HELD_UP_S = 0.005
"""What leaves so long after it was said to be free was held up on its way out of the process."""
SHARE = 1 / (1 + LATE_S + 2 * HELD_UP_S)
"""Of the rate: parts that leave as late as they may, followed by some that are on time, keep the rate even so. The rest
is for what happens on the way."""
DRIFT = 0.001
"""By which two clocks may differ more from one second to the next."""

Cost = Callable[[int], int]
"""Microseconds to speak for, by how many others have already spoken for."""
Reserve = Callable[[Cost], Awaitable[Reserved]]


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


class _OtherClock:
    """By how much it is ahead of ours at least, as the question that was answered quickest shows."""

    def __init__(self) -> None:
        self._least = self._most = 0.0
        self._as_of: float | None = None

    def ours(self, reserved: Reserved) -> float:
        """When it begins by our clock; rather late than early."""
        least, most = reserved.now - reserved.answered, reserved.now - reserved.asked
        if self._as_of is not None:
            drift = DRIFT * (reserved.answered - self._as_of)
            before = self._least - drift, self._most + drift
            if max(least, before[0]) <= min(most, before[1]):  # else it was set to another time
                least, most = max(least, before[0]), min(most, before[1])
        self._least, self._most, self._as_of = least, most, reserved.answered
        return reserved.begins - least


class Limiter:
    """For one who sends. `rate` in parts per second; `clock` in seconds, the one of what is `Reserved`."""

    def __init__(self, rate: float, reserve: Reserve, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = 1 / (rate * SHARE)
        self.slice_parts = max(1, int(rate * SLICE_S))
        """As many as are bought at once, at most."""
        self._reserve = reserve
        self._clock = clock
        self._other_clock = _OtherClock()
        self._slices: list[_Slice] = []
        """The one that is being used, and the next one."""
        self._buying: asyncio.Future[None] | None = None
        self._debt = 0
        """Parts that left beyond the last slice."""
        self._freed_at = 0.0
        self._freed = 0
        """Parts that were said to be free then, and left."""

    async def buy(self, wanted: int) -> None:
        """Make sure that there is a slice, of as many parts as are wanted; the next one is bought in time and beside
        the sending, so that no instant between the two is lost."""
        while True:
            if self._buying is not None and self._buying.done():
                done, self._buying = self._buying, None
                done.result()
            if self._slices and self._slices[0].is_used_up:
                used_up = self._slices.pop(0)
                self._debt += 0 if self._slices else used_up.used - used_up.parts
            bought = sum(each.parts - each.used for each in self._slices)
            has_enough = bool(self._slices) and (self._slices[0].is_fresh or bought >= wanted)
            if self._buying is None and len(self._slices) < 2 and not has_enough:
                self._buying = asyncio.ensure_future(self._buy(wanted - bought + self._debt))
            if self._slices or self._buying is None:
                return
            await asyncio.wait([self._buying])

    async def _buy(self, wanted: int) -> None:
        def parts(ahead_us: int) -> int:
            small = min(1.0, (SLICE_S * 1e6 / ahead_us) ** 2) if ahead_us > 0 else 1.0
            return max(1, min(int(self.slice_parts * small), wanted))

        reserved = await self._reserve(lambda ahead_us: round(parts(ahead_us) * self._every_s * 1e6))
        bought = parts(round((reserved.begins - reserved.now) * 1e6))
        self._slices.append(_Slice(self._other_clock.ours(reserved), bought, self._debt))
        self._debt = 0

    def free(self) -> tuple[int, float]:
        """How many parts may leave now; where none may, in how many seconds to ask again."""
        if not self._slices:
            return 0, 0.0
        now = self._clock()
        found = self._slices[0]
        since = now - found.begins
        found.used = max(found.used, self._lost(found))
        self._freed_at = now
        if since < 0:
            return 0, -since
        reached = min(found.parts, int(since / self._every_s) + 1)
        if reached > found.used:
            return reached - found.used, 0.0
        return 0, max(0.0, found.begins + found.used * self._every_s - self._clock())

    def spend(self, parts: int) -> None:
        """So many left now. A message of more parts than were free takes the rest from what comes next, or owes it."""
        self._freed += parts
        self._take(parts)

    def left(self) -> None:
        """By now they have left the process. Where it was held up meanwhile, that may have been just now: then as many
        of what comes next do not leave."""
        if self._freed and self._slices and self._clock() > self._freed_at + HELD_UP_S:
            found = self._slices[0]
            found.used = max(found.used, self._lost(found))
            self._take(self._freed)
        self._freed = 0

    def _lost(self, found: _Slice) -> int:
        """Up to which part of it all come too late."""
        return min(found.parts, int((self._clock() - found.begins - LATE_S) / self._every_s))

    def _take(self, parts: int) -> None:
        for each in self._slices:
            taken = min(parts, each.parts - each.used) if each is not self._slices[-1] else parts
            each.used += taken
            parts -= taken


def of_account(database: Engine, network: Network, is_given_up: Callable[[], bool] = lambda: False) -> Limiter | None:
    """For one who sends over it, on the event loop that runs; None where there is no limit. A database that is away is
    waited for until it `is_given_up`: never, for who keeps the books knows how long to wait."""
    if network.rate is None:
        return None

    is_there = False

    async def reserve(cost: Cost) -> Reserved:
        def unit() -> Reserved:
            nonlocal is_there
            if not is_there:
                write(database, lambda connection: accounts.make_sure(connection, network.name))
                is_there = True
            return write(database, lambda connection: accounts.reserve(connection, network.name, cost))

        async def ask() -> Reserved:
            return await asyncio.get_running_loop().run_in_executor(None, unit)

        return await waited_for(ask, is_given_up)

    return Limiter(network.rate, reserve)
