"""An event loop whose clock stands still until it is moved, so that no test waits and none depends on speed."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from engine.errors import UsageError

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class StandingLoop(asyncio.SelectorEventLoop):
    """`settle` runs whatever can run now; `advance` moves the clock and runs what became due, in order."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.is_free = False
        """Whether it waits as any loop does; see `free`."""
        self._freed_at = 0.0
        self.next_timer_s: float | None = None
        """After `settle`: seconds until the next timer, None when there is none."""
        self.in_threads: set[asyncio.Future[Any]] = set()
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now_s + (time.monotonic() - self._freed_at if self.is_free else 0.0)

    def free(self) -> None:
        """Wait as any loop does from now on: for what cancelled coroutines still have to do."""
        self.is_free, self._freed_at = True, time.monotonic()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        """Run a function in a thread; `settle` waits for it, in real time."""
        work = super().run_in_executor(executor, func, *args)
        self.in_threads.add(work)
        work.add_done_callback(self.in_threads.discard)
        return work

    def settle(self) -> None:
        """Run until everything is done or waits for a timer, for a task, or for something outside."""
        self.run_forever()  # the selector stops it

    def advance(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        self.settle()
        while self.next_timer_s is not None and self.now_s + self.next_timer_s <= until_s:
            self.now_s += self.next_timer_s
            self.settle()
        self.now_s = until_s

    def complete(self, coroutine: Coroutine[Any, Any, Any], what: str) -> Any:
        """Run a coroutine to its end and return its result; timers it waits for are due at once."""
        work = self.create_task(coroutine)
        try:
            self.settle()
            while not work.done():
                if self.next_timer_s is None:
                    work.cancel()
                    self.settle()
                    raise UsageError(f"{what} waits for something that never comes while it runs alone")
                self.now_s += self.next_timer_s
                self.settle()
        except SystemExit:
            if work.done():
                work.exception()  # or the loop complains that nobody looked at it
            raise
        return work.result()


class _Selector(selectors.DefaultSelector):
    """Stops its loop at the moment when it would wait. The loop says so by a timeout that is not 0."""

    def __init__(self, loop: StandingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 or self._loop.is_free:
            return super().select(timeout)
        if self._loop.in_threads:
            return super().select(None)
        events = super().select(0)
        if not events:
            self._loop.next_timer_s = timeout
            self._loop.stop()
        return events
