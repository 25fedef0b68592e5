"""Decides which task worker gets which tasks of one event worker. Pure: sends nothing."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

MOST_UNDER_WAY: Final = 64
"""Quick tasks that one task worker may have from one event worker."""
QUICK_NS: Final = 1_000_000
"""As many tasks are sent ahead to a task worker as it does in this time; one that takes longer travels alone."""
WORTH_WAKING_NS: Final = 100_000
"""So much work is worth one task worker more: to wake it costs both sides about as much as it saves."""
_TOGETHER: Final = 16
"""So many quick tasks are worth a packet in any case."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is known of one task worker: whether it waits for a task, nanoseconds in its task, mean of its tasks."""

    is_idle: bool
    busy_ns: int
    mean_ns: int
    credit: int | None = None
    """Where tasks are coroutines: how many more it would begin at once, busy or not."""


class Assignment(NamedTuple):
    """Tasks that one task worker is to get, in order; `is_named` when they are for it alone."""

    number: int
    is_named: bool
    ids: Sequence[int]


def credit(load: Load, under_way: int) -> int:
    """Return how many more tasks this task worker may be given.

    One that waits gets one at least. One that is in a long task gets none: behind it they would wait while another may
    be idle. One whose tasks are quick gets as many as keep it busy for QUICK_NS.
    One of coroutines says itself how many it begins at once.
    """
    if load.credit is not None:
        return load.credit
    least = int(load.is_idle)
    if load.mean_ns == 0 or load.mean_ns >= QUICK_NS or load.busy_ns > QUICK_NS:
        return least
    return max(least, min(MOST_UNDER_WAY, QUICK_NS // load.mean_ns) - under_way)


def usual_ns(loads: Sequence[Load]) -> int:
    """Return how long a task takes, nanoseconds: the least of the means. 0 where nothing is known.

    The others are those of task workers that were seldom awake, with cold caches, or that were held up for a moment.
    """
    return min((load.mean_ns for load in loads if load.mean_ns), default=0)


class Scheduler:
    """The tasks of one event worker, by id, from submission to answer."""

    def __init__(self, task_workers: int, first: int = 0) -> None:
        """`first`: the task worker that quick tasks go to while one is enough; each event worker has its own."""
        self._first = first
        self._anywhere: deque[int] = deque()
        self._named: list[deque[int]] = [deque() for _ in range(task_workers)]
        self.under_way_at: dict[int, int] = {}
        """The task worker's number, from 0, by task id."""
        self.counts = [0] * task_workers
        """Tasks under way at each task worker."""
        self._turn = 0

    def __len__(self) -> int:
        return len(self.under_way_at) + len(self._anywhere) + sum(map(len, self._named))

    @property
    def under_way(self) -> int:
        return len(self.under_way_at)

    def submit(self, task_id: int, target: int) -> None:
        """Add a task; `target` is a task worker's number from 0, or -1 for any."""
        (self._anywhere if target < 0 else self._named[target]).append(task_id)

    def is_under_way(self, task_id: int) -> bool:
        return task_id in self.under_way_at

    def answered(self, task_id: int) -> bool:
        """Remove a task that was answered; False when it is not under way here."""
        number = self.under_way_at.pop(task_id, None)
        if number is None:
            return False
        self.counts[number] -= 1
        return True

    def withdraw(self, task_id: int) -> None:
        """Remove a task that waits."""
        for queue in (self._anywhere, *self._named):
            if task_id in queue:
                queue.remove(task_id)

    @property
    def has_waiting(self) -> bool:
        return bool(self._anywhere) or any(self._named)

    def assign(self, loads: Sequence[Load], *, is_late: bool = False) -> list[Assignment]:
        """Assign what can be sent now, and count it as under way.

        What is for one task worker alone comes first there. The rest goes to those with credit, in equal shares, but to
        no more of them than there is work worth waking one for. Quick tasks wait until there are as many of them as
        there are still before them, so that they travel together; `is_late` says that they have waited for long.
        """
        credits_left = [credit(load, count) for load, count in zip(loads, self.counts, strict=True)]
        assignments = []

        def assign_some(queue: deque[int], number: int, most: int, is_named: bool) -> None:
            if count := min(len(queue), credits_left[number], most):
                assignments.append(Assignment(number, is_named, self._send_off(queue, number, count)))
                credits_left[number] -= count
                if not is_named:
                    self._turn = number + 1

        for number, queue in enumerate(self._named):
            if queue:
                assign_some(queue, number, MOST_UNDER_WAY, True)
        mean_ns = usual_ns(loads)
        while self._anywhere and (takers := [number for number, credit in enumerate(credits_left) if credit]):
            self._sort(takers, loads, mean_ns)
            if not is_late and self._may_wait(takers[0], loads, mean_ns):
                break
            share = max(1, len(self._anywhere) // len(takers))
            for number in takers:
                assign_some(self._anywhere, number, share, False)
        return assignments

    def _sort(self, takers: list[int], loads: Sequence[Load], mean_ns: int) -> None:
        """Sort `takers`, and drop those that our tasks, with those under way, are no work for: always the same ones, so
        that they can sleep. The one with least to do comes first; where all are needed, idle ones, and then in turn."""
        is_quick = 0 < mean_ns < WORTH_WAKING_NS
        enough = max(1, len(self) * mean_ns // WORTH_WAKING_NS) if is_quick else len(loads)
        if enough < len(takers):
            takers.sort(key=lambda n: (n - self._first) % len(loads))
            del takers[enough:]
            takers.sort(key=lambda n: self.counts[n])
        else:
            takers.sort(key=lambda n: (not loads[n].is_idle, self.counts[n], (n - self._turn) % len(loads)))

    def _may_wait(self, number: int, loads: Sequence[Load], mean_ns: int) -> bool:
        """Return whether this one has enough to do for now, so that tasks can wait until more travel together."""
        if loads[number].is_idle or not 0 < mean_ns < WORTH_WAKING_NS:
            return False
        return len(self._anywhere) < min(_TOGETHER, self.counts[number])

    def _send_off(self, queue: deque[int], number: int, count: int) -> list[int]:
        ids = [queue.popleft() for _ in range(count)]
        self.under_way_at.update(dict.fromkeys(ids, number))
        self.counts[number] += count
        return ids
