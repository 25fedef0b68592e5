"""Connections over which nothing is asked, answered or watched for too long: they are closed.

The engine's heartbeat_idle_time counts bytes, either way, and knows nothing of a request that is being seen to.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

IDLE_S = 60.0
LOOK_EVERY_S = 5.0


class IdleConnections:
    """Who of one process has been idle since when; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._idle_since: dict[int, float] = {}
        self._at_work: dict[int, int] = {}
        """Requests of a connection that are not through; watching is one."""

    def opened(self, fd: int) -> None:
        self._idle_since[fd] = self._clock()

    def closed(self, fd: int) -> None:
        self._idle_since.pop(fd, None)

    @contextmanager
    def at_work(self, fd: int) -> Iterator[None]:
        """While a request of this connection is seen to."""
        self._at_work[fd] = self._at_work.get(fd, 0) + 1
        try:
            yield
        finally:
            self._at_work[fd] -= 1
            if not self._at_work[fd]:
                del self._at_work[fd]
            if fd in self._idle_since:
                self._idle_since[fd] = self._clock()

    def over(self) -> list[int]:
        """Those to be closed."""
        before = self._clock() - IDLE_S
        return [fd for fd, since in self._idle_since.items() if since < before and fd not in self._at_work]
