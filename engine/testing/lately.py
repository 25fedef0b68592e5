"""Counts how often something happened lately, on a clock that stands still."""

from collections import deque

from engine.ipc.board import RATE_WINDOW_S
from engine.testing.loop import StandingLoop


class Lately:
    """Counts, and computes the rate over the last RATE_WINDOW_S, or since the clock began."""

    def __init__(self, loop: StandingLoop) -> None:
        self._loop = loop
        self._times: deque[float] = deque()

    def note(self) -> None:
        """Count one more, now."""
        self._times.append(self._loop.time())
        self._forget()

    @property
    def per_second(self) -> float:
        """Return the rate; 0 as long as the clock was not moved."""
        self._forget()
        elapsed_s = min(self._loop.time(), RATE_WINDOW_S)
        return len(self._times) / elapsed_s if elapsed_s else 0.0

    def _forget(self) -> None:
        begin_s = self._loop.time() - RATE_WINDOW_S
        while self._times and self._times[0] <= begin_s:
            self._times.popleft()
