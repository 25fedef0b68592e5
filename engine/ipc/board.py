"""The board: numbers in shared memory that every process of a server reads, each cell written by one process."""

import fcntl
import mmap
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

from engine.ipc.conn_table import ConnTable
from engine.stats import EventWorkerStats, ProcessStats, Stats, TaskWorkerStats, resident_bytes


class Cell(IntEnum):
    """A number in a worker's row; unsigned, 64 bits."""

    PID = 0
    # event workers
    ACCEPTED = 1
    CLOSED = 2
    SUBMITTED = 3
    DONE = 4  # task workers: tasks whose handler ended well
    FAILED = 5
    LOST = 6
    LATE = 14  # results that nobody waited for any more
    ORPHANED = 15  # results whose callback was gone with its process
    QUEUE_BYTES = 16  # tasks that wait
    SESSIONS = 7  # how many session numbers were given out
    BYTES_IN = 21
    BYTES_OUT = 22
    REQUESTS = 23  # frames handed to `receive`
    WAITING = 24  # tasks not sent yet, as of the last loop turn
    OLDEST_NS = 25  # since when the first of them waits, see worker/pulse.py, monotonic; 0 when not known yet
    ACCEPT_RATE = 26  # a second, over the last RATE_WINDOW_S, times RATE_UNIT
    DONE_RATE = 27
    # task workers
    STATE = 8
    TASK_ID = 9
    SINCE_NS = 10  # time.monotonic_ns, the same clock in every process of a machine
    MEAN_NS = 11  # moving mean of how long a task takes; 0 before the first
    REDELIVERED = 12
    FILES_SENT = 13  # spill files of the process at work that somebody was told of
    CALLED_NS = 19  # when an event worker gave a task to this idle one, monotonic; 0 once it looked what there is
    FILES_OF = 18  # who made those, see SpillDirectory.maker; PID is 0 once that process is gone
    RUNNING = 17  # tasks at once, where `task` is a coroutine
    CREDIT = 20  # how many more it would begin at once
    # both
    TO_ADOPT = 28  # its process is gone, and nobody has taken what that left


_ROW: Final = len(Cell)
RATE_UNIT = 1000
"""A cell holds whole numbers."""
RATE_WINDOW_S = 10.0
"""Rates are over the last ten seconds."""


class State(IntEnum):
    """What a task worker is doing."""

    AWAY = 0
    IDLE = 1
    BUSY = 2


BLOCKED: Final = 1
"""A task worker takes nothing for now, and nothing waits for it."""
BLOCKED_WITH_TASKS: Final = 2
"""The same, and something may wait for it."""


class Board:
    """A row of cells for each place.

    Each worker id has two places, one for each seat: 0, and 1 for the one that takes over while the other still works.
    Event workers' places come first, then those of task workers; then one for each user process, which is alone.
    Made before the first fork. The process in a place alone writes its row, and the manager when that is dead.
    """

    def __init__(
        self,
        worker_num: int,
        task_worker_num: int,
        max_conn: int = 1000,
        concurrency: int = 0,
        processes: Sequence[str] = (),
    ) -> None:
        self.worker_num = worker_num
        self.task_worker_num = task_worker_num
        self.processes = tuple(processes)
        """The names of user processes, whose worker ids come after those of task workers."""
        self.concurrency = concurrency
        """Tasks at once in one task worker, where they may be coroutines; 0 where each runs one after the other."""
        self.start_time = time.time()
        self.connections = ConnTable(max_conn)
        self.event_places = range(2 * worker_num)
        self._first_task_place = 2 * worker_num
        workers = worker_num + task_worker_num
        self._first_process = workers
        self._first_process_place = 2 * workers
        self._seat_base = (2 * workers + len(self.processes)) * _ROW
        blocked_base = self._seat_base + workers + len(self.processes)
        cells = blocked_base + task_worker_num
        self._memory = mmap.mmap(-1, (cells + 2) * 8)
        self.cells = memoryview(self._memory).cast("Q")
        self.blocked = self.cells[blocked_base:cells]
        """For each task worker, by its number from 0: whether it takes nothing for now, being in a long task, full,
        leaving or gone. What waits for it, and is not for it alone, others may take."""
        self._lock = os.memfd_create("board", os.MFD_CLOEXEC)

    # ── who is where ────────────────────────────────────────────────────────────────────────────

    def place(self, worker_id: int, seat: int) -> int:
        """Return the place of a worker id's seat, 0 or 1; a user process has one place."""
        if worker_id >= self._first_process:
            return self._first_process_place + worker_id - self._first_process
        if worker_id < self.worker_num:
            return seat * self.worker_num + worker_id
        return self._first_task_place + seat * self.task_worker_num + worker_id - self.worker_num

    def other(self, place: int) -> int:
        """Return the other place of the same worker id."""
        first, count = (0, self.worker_num)
        if place >= self._first_task_place:
            first, count = self._first_task_place, self.task_worker_num
        return first + (place - first + count) % (2 * count)

    def worker_id(self, place: int) -> int:
        if place >= self._first_process_place:
            return self._first_process + place - self._first_process_place
        if place < self._first_task_place:
            return place % self.worker_num
        return self.worker_num + (place - self._first_task_place) % self.task_worker_num

    def current(self, worker_id: int) -> int:
        """Return the place of the process that has this worker id now; a second one that leaves may be in the other."""
        return self.place(worker_id, self.cells[self._seat_base + worker_id])

    def note_current(self, worker_id: int, seat: int) -> None:
        self.cells[self._seat_base + worker_id] = seat

    @property
    def inboxes(self) -> int:
        """How many inboxes there are: see ipc/channel.py."""
        return len(self.event_places) + self.task_worker_num + len(self.processes)

    # ── rows ────────────────────────────────────────────────────────────────────────────────────

    def row(self, place: int) -> int:
        """Return where in `cells` the row of this place begins."""
        return place * _ROW

    def get(self, place: int, cell: Cell) -> int:
        return self.cells[place * _ROW + cell]

    def put(self, place: int, cell: Cell, value: int) -> None:
        self.cells[place * _ROW + cell] = value

    def add(self, place: int, cell: Cell, count: int = 1) -> int:
        """Raise a cell of one's own row and return what it held before."""
        index = place * _ROW + cell
        before = self.cells[index]
        self.cells[index] = before + count
        return before

    @property
    def is_stopping(self) -> bool:
        """Whether the whole server is told to stop, and not one worker alone."""
        return bool(self.cells[-1])

    def note_stopping(self) -> None:
        self.cells[-1] = 1

    @property
    def answers_are_over(self) -> bool:
        """Whether every process is gone that sends messages to event workers; what is in their inboxes is the last."""
        return bool(self.cells[-2])

    def note_answers_over(self) -> None:
        self.cells[-2] = 1

    def try_lock(self) -> bool:
        """Keep other event workers from assigning tasks while we do: two would pick the same idle task worker.

        A record lock: it dies with the process that holds it. False when another one has it; never blocks.
        """
        if self.worker_num == 1:
            return True
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True

    def unlock(self) -> None:
        if self.worker_num > 1:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1)

    @contextmanager
    def seats_locked(self, place: int) -> Iterator[None]:
        """Keep whoever sits, or begins, in the other seat of this worker id from beginning and from adopting meanwhile.

        A process enters its PID, and one that adopts looks at the other's PID and takes what was left there, under this
        lock: what a dead process left belongs to exactly one of them. Blocks for as long as such a step takes; a record
        lock, which dies with its process.
        """
        start = 1 + self.worker_id(place)  # byte 0 is the one of `try_lock`
        fcntl.lockf(self._lock, fcntl.LOCK_EX, 1, start)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, start)

    @property
    def connection_num(self) -> int:
        """How many connections all event workers have."""
        return sum(self.get(each, Cell.ACCEPTED) - self.get(each, Cell.CLOSED) for each in self.event_places)

    def snapshot(self, spill_files: int) -> Stats:
        """Return all numbers of this moment; cells are read one by one, so a busy server's sums may be off by a few."""
        helpers = [self._task_worker(each) for each in range(self.worker_num, self.worker_num + self.task_worker_num)]
        task_places = range(self._first_task_place, self._first_task_place + 2 * self.task_worker_num)

        def total(cell: Cell, places: range = self.event_places) -> int:
            return sum(self.get(each, cell) for each in places)

        running = sum(self._running(each) for each in task_places)
        submitted, done, failed, lost = map(total, (Cell.SUBMITTED, Cell.DONE, Cell.FAILED, Cell.LOST))
        unanswered = max(0, submitted - done - failed - lost)
        running = min(running, unanswered)
        return Stats(
            start_time=self.start_time,
            connection_num=self.connection_num,
            accept_count=total(Cell.ACCEPTED),
            close_count=total(Cell.CLOSED),
            accepts_per_s=self._rate(Cell.ACCEPT_RATE),
            bytes_in=total(Cell.BYTES_IN),
            bytes_out=total(Cell.BYTES_OUT),
            worker_num=self.worker_num,
            task_worker_num=self.task_worker_num,
            idle_task_worker_num=sum(each.state == "idle" for each in helpers),
            tasks_submitted=submitted,
            tasks_waiting=unanswered - running,
            tasks_running=running,
            tasks_done=done,
            tasks_done_per_s=self._rate(Cell.DONE_RATE),
            tasks_failed=failed,
            tasks_lost=lost,
            tasks_redelivered=total(Cell.REDELIVERED, task_places),
            tasks_late=total(Cell.LATE),
            tasks_orphaned=total(Cell.ORPHANED),
            queue_bytes=total(Cell.QUEUE_BYTES),
            oldest_waiting_s=self._oldest_waiting_s(time.monotonic_ns()),
            spill_files=spill_files,
            event_workers=tuple(map(self._event_worker, range(self.worker_num))),
            task_workers=tuple(helpers),
            processes=tuple(map(self._process, range(len(self.processes)))),
        )

    def _process(self, number: int) -> ProcessStats:
        pid = self.get(self._first_process_place + number, Cell.PID)
        return ProcessStats(self._first_process + number, self.processes[number], pid, resident_bytes(pid))

    def _running(self, place: int) -> int:
        return self.get(place, Cell.RUNNING) or int(self.get(place, Cell.STATE) == State.BUSY)

    def _rate(self, cell: Cell) -> float:
        """Return the sum over living event workers: one that died does not lower its rate any more."""
        return sum(self.get(each, cell) for each in self.event_places if self.get(each, Cell.PID)) / RATE_UNIT

    def _oldest_waiting_s(self, now_ns: int) -> float | None:
        holders = [each for each in self.event_places if self.get(each, Cell.WAITING)]
        return max((self._waits_for_s(each, now_ns) for each in holders), default=None)

    def _waits_for_s(self, place: int, now_ns: int) -> float:
        since_ns = self.get(place, Cell.OLDEST_NS)
        return max(0, now_ns - since_ns) / 1e9 if since_ns else 0.0

    def _event_worker(self, worker_id: int) -> EventWorkerStats:
        place = self.current(worker_id)
        places = place, self.other(place)

        def total(*cells: Cell) -> int:
            return sum(self.get(each, cell) for each in places for cell in cells)

        waiting = total(Cell.WAITING)
        unanswered = total(Cell.SUBMITTED) - total(Cell.DONE, Cell.FAILED, Cell.LOST)
        return EventWorkerStats(
            worker_id=worker_id,
            pid=self.get(place, Cell.PID),
            connections=total(Cell.ACCEPTED) - total(Cell.CLOSED),
            requests=total(Cell.REQUESTS),
            bytes_in=total(Cell.BYTES_IN),
            bytes_out=total(Cell.BYTES_OUT),
            tasks_waiting=waiting,
            tasks_under_way=max(0, unanswered - waiting),
            queue_bytes=total(Cell.QUEUE_BYTES),
        )

    def _task_worker(self, worker_id: int) -> TaskWorkerStats:
        place = self.current(worker_id)
        pid = self.get(place, Cell.PID)
        state = State(self.get(place, Cell.STATE))
        busy = state is State.BUSY
        since_ns = time.monotonic_ns() - self.get(place, Cell.SINCE_NS)
        return TaskWorkerStats(
            worker_id=worker_id,
            pid=pid,
            state=state.name.lower(),
            task_id=self.get(place, Cell.TASK_ID) if busy else None,
            since_s=since_ns / 1e9 if busy else None,
            done=self.get(place, Cell.DONE) + self.get(self.other(place), Cell.DONE),
            rss=resident_bytes(pid),
        )
