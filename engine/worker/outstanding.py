"""Which tasks of this event worker wait, which are under way, and who gets the next one. Pure: sends nothing."""

from asyncio import Future
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.ipc.message import STAY, Message

MOST_UNDER_WAY = 64
"""Quick tasks that one task worker may have from one event worker."""
QUICK_NS = 1_000_000
"""As many tasks are sent ahead to a task worker as it does in this time; one that takes longer travels alone."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is known of one task worker: idle or not, nanoseconds in its task, mean of its tasks, others' share."""

    is_idle: bool
    busy_ns: int
    mean_ns: int
    from_others: int


@dataclass(slots=True)
class Entry:
    """A task under way: the task worker's number from 0, and who wants its end."""

    task_worker: int
    message: Message
    callback: Callable[..., Any] | None
    waiter: Future[Any] | None


def room(load: Load, under_way: int) -> int:
    """How many more tasks without a named target this task worker may be given.

    One that is in a long task gets none: behind it they would wait while another may be idle. One whose tasks are
    quick, or not yet known, gets as many as keep it busy for QUICK_NS.
    """
    if load.mean_ns == 0 or load.mean_ns >= QUICK_NS:
        return 1 if load.is_idle and not under_way and not load.from_others else 0
    if not load.is_idle and load.busy_ns > QUICK_NS:
        return 0
    return max(0, min(MOST_UNDER_WAY, QUICK_NS // load.mean_ns) - under_way)


class Outstanding:
    """The tasks of one event worker, from submission to answer."""

    def __init__(self, task_workers: int) -> None:
        self._anywhere: deque[Entry] = deque()
        self._named: list[deque[Entry]] = [deque() for _ in range(task_workers)]
        self._under_way: dict[int, Entry] = {}
        self.counts = [0] * task_workers
        """Tasks under way at each task worker."""
        self._turn = 0

    def __len__(self) -> int:
        return len(self._under_way) + len(self._anywhere) + sum(map(len, self._named))

    def submit(
        self,
        message: Message,
        target: int,
        callback: Callable[..., Any] | None = None,
        waiter: Future[Any] | None = None,
    ) -> None:
        """Take a task; `target` is a task worker's number from 0, or -1 for any."""
        if target >= 0:
            message = message._replace(codec=message.codec | STAY)
        entry = Entry(target, message, callback, waiter)
        (self._anywhere if target < 0 else self._named[target]).append(entry)

    def is_under_way(self, task_id: int) -> bool:
        return task_id in self._under_way

    def answered(self, task_id: int) -> Entry | None:
        """Strike a task off; None when it is not of this process."""
        entry = self._under_way.pop(task_id, None)
        if entry:
            self.counts[entry.task_worker] -= 1
        return entry

    def returned(self, message: Message) -> None:
        """A task worker gives a task back that it did not begin: it is the next to be sent."""
        entry = self.answered(message.id)
        self._anywhere.appendleft(entry or Entry(-1, message, None, None))

    @property
    def has_waiting(self) -> bool:
        return bool(self._anywhere) or any(self._named)

    def assign(self, loads: Sequence[Load]) -> list[tuple[int, list[Message]]]:
        """Give out what may be given out now, and count it as under way: task worker and its messages, in order.

        A named target gets its tasks even when it is busy. The rest goes to who has room, in turn, in equal shares.
        """
        given: dict[int, list[Message]] = {}
        for number, queue in enumerate(self._named):
            while queue and self.counts[number] < MOST_UNDER_WAY:
                given.setdefault(number, []).append(self._send_off(queue.popleft(), number))
        while self._anywhere:
            rooms = {n: space for n, load in enumerate(loads) if (space := room(load, self.counts[n]))}
            if not rooms:
                break
            share = max(1, len(self._anywhere) // len(rooms))
            for number in sorted(rooms, key=self._preference(loads)):
                for _ in range(min(rooms[number], share, len(self._anywhere))):
                    given.setdefault(number, []).append(self._send_off(self._anywhere.popleft(), number))
                    self._turn = number + 1
        return list(given.items())

    def _preference(self, loads: Sequence[Load]) -> Callable[[int], tuple[bool, int, int]]:
        """Idle first, then who has least to do, then in turn."""
        return lambda n: (not loads[n].is_idle, self.counts[n], (n - self._turn) % len(loads))

    def _send_off(self, entry: Entry, number: int) -> Message:
        entry.task_worker = number
        self._under_way[entry.message.id] = entry
        self.counts[number] += 1
        return entry.message
