"""Writes to the board once a second how much came and was done lately, and how long the oldest task waits.

This costs a task or a connection nothing: it is computed from what is counted anyway.
"""

import asyncio
import time
from collections import deque

from engine.ipc.backlog import Backlog
from engine.ipc.board import RATE_UNIT, RATE_WINDOW_S, Board, Cell

BEAT_S = 1.0
MOST_MARKS = 600


class Rate:
    """How much a count grows in a second, over the last RATE_WINDOW_S."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, now_s: float, count: int) -> float:
        """Note the count and return the rate per second; 0 before a second sample."""
        samples = self._samples
        samples.append((now_s, count))
        while len(samples) > 1 and samples[1][0] <= now_s - RATE_WINDOW_S:
            samples.popleft()
        first_s, first = samples[0]
        return (count - first) / (now_s - first_s) if now_s > first_s else 0.0


class Age:
    """Since when the oldest waiting task waits, measured at each beat and not at each task.

    A mark says that at its time all ids up to its own had come. So the task in front came before the first mark that
    is not below its id, and after the one before that.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()

    def see(self, now_ns: int, first_id: int, last_id: int) -> int:
        """Note the ids of the first and the last task that wait at `now_ns`; return since when the first waits, at the
        latest."""
        marks = self._marks
        last_id = max(first_id, last_id)  # one that was given back is behind younger ones
        if not marks or last_id > marks[-1][1]:
            marks.append((now_ns, last_id))
        while marks[0][1] < first_id:  # not below all: the last one is that of an id which is as high
            marks.popleft()
        if len(marks) > MOST_MARKS:  # many minutes: it may be off by a little more
            seen = list(marks)
            ends = [*seen[1::2], seen[-1]]
            self._marks = deque((at_ns, last) for (at_ns, _), (_, last) in zip(seen[::2], ends, strict=False))
        return self._marks[0][0]


class Pulse:
    """Writes the numbers once a second as long as its loop runs."""

    def __init__(self, place: int, board: Board, backlog: Backlog) -> None:
        self._place = place
        self._board = board
        self._backlog = backlog
        self._accepted, self._done = Rate(), Rate()
        self._age = Age()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write now, and then once a second."""
        self.beat(time.monotonic_ns())
        loop.call_later(BEAT_S, self.begin, loop)

    def beat(self, now_ns: int) -> None:
        """Write once; `now_ns` is of time.monotonic_ns, the same clock in every process."""
        board, place, now_s = self._board, self._place, now_ns / 1e9
        accepts_per_s = self._accepted.sample(now_s, board.get(place, Cell.ACCEPTED))
        done_per_s = self._done.sample(now_s, board.get(place, Cell.DONE))
        board.put(place, Cell.ACCEPT_RATE, round(accepts_per_s * RATE_UNIT))
        board.put(place, Cell.DONE_RATE, round(done_per_s * RATE_UNIT))
        backlog = self._backlog
        since_ns = self._age.see(now_ns, backlog.first_id, backlog.last_id) if backlog else 0
        board.put(place, Cell.OLDEST_NS, since_ns)
