"""Timers of one process: calls that are made later, once or repeatedly. Decides when; the caller waits."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import UsageError

LONGEST_MS = 86_400_000
"""A day, as in Swoole."""
_FEW = 64
"""So many cleared timers may be kept until their time: to remove one from the middle costs a look at all."""


class Work(Protocol):
    """What is still at work after a callback returned: its coroutine."""

    def done(self) -> bool: ...


@dataclass(slots=True)
class _Timer:
    call: Callable[[], Any]
    interval_s: float
    """0 for one that is called once."""
    work: Work | None = None


class Timers:
    """Calls are due by `clock`; whoever waits asks `next_in_s`, and then calls `run_due`."""

    def __init__(
        self,
        run: Callable[[Callable[[], Any]], Work | None],
        *,
        on_sooner: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run(call)` makes a call and logs what it raises; it returns what is still at work, such as a coroutine.
        `on_sooner()` is called when a timer is due before all others."""
        self._run = run
        self._on_sooner = on_sooner
        self._clock = clock
        self._ids = itertools.count(1)
        self._timers: dict[int, _Timer] = {}
        self._due: list[tuple[float, int]] = []
        """A heap of when, and which; one that was cleared is skipped."""

    def tick(self, interval_ms: float, call: Callable[..., Any], args: tuple[Any, ...]) -> int:
        """Call every `interval_ms`, the first time after that time. One call at a time: while its coroutine is at work,
        a tick is left out, and so are those that a busy process is late for. Return the timer's id. Raises
        UsageError."""
        return self._add(interval_ms, call, args, is_tick=True)

    def after(self, delay_ms: float, call: Callable[..., Any], args: tuple[Any, ...]) -> int:
        """Call once, after `delay_ms`. Return the timer's id. Raises UsageError."""
        return self._add(delay_ms, call, args, is_tick=False)

    def clear(self, timer_id: int) -> bool:
        """Stop a timer; False when there is no such timer, or it was called already."""
        if self._timers.pop(timer_id, None) is None:
            return False
        if len(self._due) > 2 * len(self._timers) + _FEW:
            self._due = [each for each in self._due if each[1] in self._timers]
            heapq.heapify(self._due)
        return True

    def clear_all(self) -> None:
        """Stop all timers."""
        self._timers.clear()
        self._due.clear()

    def next_in_s(self) -> float | None:
        """Return the seconds until `run_due` has something to do, 0 when it has now; None for never."""
        while self._due and self._due[0][1] not in self._timers:
            heapq.heappop(self._due)
        return max(0.0, self._due[0][0] - self._clock()) if self._due else None

    def run_due(self) -> None:
        """Make the calls that are due, in order; each at most once, or a slow one would block all others for ever."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            at, timer_id = heapq.heappop(self._due)
            if timer := self._timers.get(timer_id):
                self._fire(timer_id, timer, at, now)

    def _fire(self, timer_id: int, timer: _Timer, at: float, now: float) -> None:
        if not timer.interval_s:
            del self._timers[timer_id]
            self._run(timer.call)
            return
        missed = (now - at) // timer.interval_s
        heapq.heappush(self._due, (at + (missed + 1) * timer.interval_s, timer_id))
        if timer.work is None or timer.work.done():
            timer.work = self._run(timer.call)

    def _add(self, delay_ms: float, call: Callable[..., Any], args: tuple[Any, ...], *, is_tick: bool) -> int:
        if isinstance(delay_ms, bool) or not isinstance(delay_ms, int | float) or not 1 <= delay_ms <= LONGEST_MS:
            raise UsageError(f"a timer of {delay_ms!r} ms cannot be, it takes 1 to {LONGEST_MS}")
        if not callable(call):
            raise UsageError(f"the callback of a timer is {call!r}, which cannot be called")
        timer_id, delay_s = next(self._ids), delay_ms / 1000
        self._timers[timer_id] = _Timer(lambda: call(*args), delay_s if is_tick else 0.0)
        heapq.heappush(self._due, (self._clock() + delay_s, timer_id))
        if self._due[0][1] == timer_id:
            self._on_sooner()
        return timer_id


class LoopTimers(Timers):
    """Timers of a process with an event loop: the loop has one timer, for the one that is due first."""

    def __init__(
        self,
        run: Callable[[Callable[[], Any]], asyncio.Future[None] | None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`loop`: the one that runs when a timer is made, where it is not given."""
        super().__init__(run, on_sooner=self._wait, clock=loop.time if loop else time.monotonic)
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def clear_all(self) -> None:
        super().clear_all()
        self._wait()

    def _wait(self) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if (in_s := self.next_in_s()) is not None:
            self._handle = (self._loop or asyncio.get_running_loop()).call_later(in_s, self._look)

    def _look(self) -> None:
        self._handle = None
        self.run_due()
        self._wait()
