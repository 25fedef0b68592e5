"""Whether to look again at once for what comes next, instead of sleeping until the kernel says that it came."""

import os
import time
from collections.abc import Callable

_LONGEST_NS = 200_000
"""To go to sleep and be woken costs both sides together about as much; in virtual machines more."""
_COMPANY_NS = 20_000
"""A yield that takes longer gave the core to somebody, who needs it."""
_MOST_LEFT_OUT = 1024


class BusyPoll:
    """Two processes that answer each other within microseconds are faster when neither sleeps in between.

    A wait begins with looking for _LONGEST_NS at most, and with sleep only then. Where that was in vain, or another
    process wants the core, the next waits are slept through: one, and each time twice as many. So it costs nothing
    worth mentioning where little is to do, or where there are fewer cores than processes at work.
    """

    def __init__(
        self,
        is_allowed: bool = True,
        now_ns: Callable[[], int] = time.monotonic_ns,
        yield_core: Callable[[], None] = os.sched_yield,
    ) -> None:
        """`is_allowed`: whether CPU time may be spent on it; where that is rationed, it would be missing elsewhere."""
        self._is_allowed = is_allowed
        self._now_ns = now_ns
        self._yield_core = yield_core
        self.is_on = False
        """Whether this wait is one to look in, or the last one was and ended well."""
        self._until_ns = 0
        self._to_leave_out = 1
        self._left_out = 0

    def begin(self) -> None:
        """A wait begins."""
        if not self._is_allowed:
            return
        if self._left_out:
            self._left_out -= 1
            return
        if self.is_on:  # something came while we looked
            self._to_leave_out = 1
        self.is_on = True
        self._until_ns = self._now_ns() + _LONGEST_NS

    def end(self) -> None:
        """What was waited for came, and nothing else is."""
        if self.is_on:
            self._to_leave_out = 1
            self.is_on = False

    def goes_on(self) -> bool:
        """Whether to look once more, after others had the core; False when it is time to sleep."""
        if not self.is_on:
            return False
        before_ns = self._now_ns()
        self._yield_core()
        now_ns = self._now_ns()
        if now_ns < self._until_ns and now_ns - before_ns < _COMPANY_NS:
            return True
        self.is_on = False
        self._left_out = self._to_leave_out
        self._to_leave_out = min(_MOST_LEFT_OUT, 2 * self._to_leave_out)
        return False
