"""Hands what is under way to the line as its window and the account's rate allow, and notes the answers."""

import asyncio
import logging
import time
from datetime import datetime

from app.domain.delivery import Delivery
from app.gateways.base import Answer, Line
from app.sending.limiter import Limiter
from app.sending.underway import Underway

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""After the other side said that we are too quick: doubled each time, until it takes something again."""


class Submitter:
    """Of one shard, on one event loop. `changed` is set when there is something for the books. `calls`: see Network."""

    def __init__(self, line: Line, underway: Underway, limiter: Limiter | None, calls: int = 0) -> None:
        self.line = line
        self._underway = underway
        self._limiter = limiter
        self._calls = calls
        self._wake = asyncio.Event()
        self._pause_s = 0.0
        self._paused_until = 0.0
        self.changed = asyncio.Event()
        self.deadline = float("inf")
        """Of our lease, CLOCK_BOOTTIME: nothing is submitted after it."""
        self.is_open = True
        """Whether something may be submitted; false once the work is to end."""
        self.fault = ""
        """What the other side says is wrong with us, once it does: nothing is submitted any more."""

    def wake(self) -> None:
        """There is something to submit."""
        self._wake.set()

    @property
    def is_in_time(self) -> bool:
        """Whether our lease holds, as far as we know."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) < self.deadline

    async def submit(self) -> None:
        """For ever."""
        while True:
            wait_s = await self._submit_some()
            if wait_s is None or wait_s > 0:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue
                self._wake.clear()
            else:
                await asyncio.sleep(0)

    @property
    def _may_submit(self) -> bool:
        return self.is_open and self._underway.queued > 0 and self.is_in_time and self.line.room > 0

    async def _submit_some(self) -> float | None:
        """Seconds until there may be more to do; None: when somebody wakes us."""
        if self._limiter is not None:
            self._limiter.left()
        if not self._may_submit:
            return None
        if (pause_s := self._paused_until - time.monotonic()) > 0:
            return pause_s
        parts = 1_000_000
        if self._limiter is not None:
            await self._limiter.buy(self._underway.queued)
            parts, wait_s = self._limiter.free()
            if not parts:
                return wait_s
            if self._calls > 1:  # a call leaves as one, and owes the rest of a slice
                parts = max(parts, self._limiter.slice_parts)
        line, taken = self.line, []
        if self._may_submit:
            taken = self._underway.take(line.room, parts, goes_alone=line.is_empty, counts_messages=self._calls > 0)
        if not taken:
            return None  # a long one waits until there is room for all of it
        if self._limiter is not None:
            self._limiter.spend(sum(each.parts for each in taken))
        self.line.submit(taken)
        self.changed.set()
        return 0.0

    async def collect(self) -> None:
        """For ever."""
        while True:
            answers = await self.line.answers()
            now = self._underway.now()
            for each in answers:
                self._note(each, now)
            self._wake.set()
            self.changed.set()

    def _note(self, answer: Answer, now: datetime) -> None:
        if answer.is_attempt:
            self._pause_s = 0.0
            # What it came to at the end of the time for it is no answer.
            self._underway.note(answer, None if answer.state is Delivery.UNKNOWN else now)
            return
        if answer.fault and not self.fault:
            log.error("gateway refuses us, nothing more is submitted", extra={"error": answer.error})
            self.fault = answer.fault
            self.is_open = False
        if answer.is_throttled:
            if not self._pause_s:
                log.warning("gateway is full, slowing down", extra={"error": answer.error})
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, self._pause_s))
            until = time.monotonic() + self._pause_s
            if until > self._paused_until + self._pause_s / 2:  # one of several that came together
                self._paused_until = until
                self._pause_s *= 2
        self._underway.note(answer, again=self.is_open)
