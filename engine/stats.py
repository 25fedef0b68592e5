"""Numbers that every process of a server sees alike: a shared-memory board, each cell written by one process."""

import fcntl
import mmap
import os
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Cell(IntEnum):
    """What stands in a worker's row; unsigned, 64 bits."""

    PID = 0
    # event workers
    ACCEPTED = 1
    CLOSED = 2
    SUBMITTED = 3
    DONE = 4  # task workers: tasks whose handler ended well
    FAILED = 5
    LOST = 6
    LATE = 14  # results that nobody waited for any more
    SESSIONS = 7  # how many session numbers were given out
    # task workers
    STATE = 8
    TASK_ID = 9
    SINCE_NS = 10  # time.monotonic_ns, the same clock in every process of a machine
    MEAN_NS = 11  # moving mean of how long a task takes; 0 before the first
    REDELIVERED = 12
    FILES_SENT = 13  # spill files of the process at work that somebody was told of


class State(IntEnum):
    """What a task worker is doing."""

    AWAY = 0
    IDLE = 1
    BUSY = 2


@dataclass(frozen=True, slots=True)
class TaskWorkerStats:
    """One task worker. `task_id` and `since_s` (seconds in this task) are None while it is not busy."""

    worker_id: int
    pid: int
    state: str
    task_id: int | None
    since_s: float | None
    done: int
    rss: int
    """Resident memory, bytes."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The server in numbers, the same from every process.

    At every quiet moment tasks_submitted = waiting + running + done + failed + lost.
    """

    start_time: float
    """Unix time, seconds."""
    connection_num: int
    accept_count: int
    close_count: int
    worker_num: int
    task_worker_num: int
    idle_task_worker_num: int
    tasks_submitted: int
    tasks_waiting: int
    tasks_running: int
    tasks_done: int
    tasks_failed: int
    tasks_lost: int
    tasks_redelivered: int
    tasks_late: int
    """Done, but after `task_wait` had given up; counted in tasks_done, too."""
    spill_files: int
    task_workers: tuple[TaskWorkerStats, ...]


class Board:
    """A row of cells for each worker id, plus what each event worker has under way at each task worker.

    Made before the first fork. A row belongs to one worker id; its process alone writes it, and the manager when that
    is dead.
    """

    def __init__(self, worker_num: int, task_worker_num: int) -> None:
        self.worker_num = worker_num
        self.task_worker_num = task_worker_num
        self.start_time = time.time()
        self._load_base = (worker_num + task_worker_num) * len(Cell)
        cells = self._load_base + worker_num * task_worker_num
        self._memory = mmap.mmap(-1, (cells + 1) * 8)
        self._cells = memoryview(self._memory).cast("Q")
        self._lock = os.memfd_create("board", os.MFD_CLOEXEC)

    def get(self, worker_id: int, cell: Cell) -> int:
        return self._cells[worker_id * len(Cell) + cell]

    def put(self, worker_id: int, cell: Cell, value: int) -> None:
        self._cells[worker_id * len(Cell) + cell] = value

    def add(self, worker_id: int, cell: Cell, count: int = 1) -> int:
        """Raise a cell of one's own row and return what it held before."""
        index = worker_id * len(Cell) + cell
        before = self._cells[index]
        self._cells[index] = before + count
        return before

    def load(self, sender: int, task_worker: int) -> int:
        """How many tasks event worker `sender` has under way at task worker number `task_worker`, from 0."""
        return self._cells[self._load_base + sender * self.task_worker_num + task_worker]

    def put_load(self, sender: int, task_worker: int, count: int) -> None:
        self._cells[self._load_base + sender * self.task_worker_num + task_worker] = count

    @property
    def is_stopping(self) -> bool:
        """Whether the whole server is told to stop, and not one worker alone."""
        return bool(self._cells[-1])

    def note_stopping(self) -> None:
        self._cells[-1] = 1

    def try_lock(self) -> bool:
        """Keep other event workers from giving out tasks while we do: two would pick the same idle task worker.

        A record lock: it dies with the process that holds it. False when another one has it; never blocks.
        """
        if self.worker_num == 1:
            return True
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True

    def unlock(self) -> None:
        if self.worker_num > 1:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def snapshot(self, spill_files: int) -> Stats:
        """Everything at this moment; cells are read one by one, so a busy server's sums may be off by a few."""
        events = range(self.worker_num)
        helpers = [self._task_worker(each) for each in range(self.worker_num, self._rows)]

        def total(cell: Cell) -> int:
            return sum(self.get(each, cell) for each in events)

        running = sum(each.state == "busy" for each in helpers)
        submitted, done, failed, lost = map(total, (Cell.SUBMITTED, Cell.DONE, Cell.FAILED, Cell.LOST))
        unanswered = max(0, submitted - done - failed - lost)
        running = min(running, unanswered)
        return Stats(
            start_time=self.start_time,
            connection_num=total(Cell.ACCEPTED) - total(Cell.CLOSED),
            accept_count=total(Cell.ACCEPTED),
            close_count=total(Cell.CLOSED),
            worker_num=self.worker_num,
            task_worker_num=self.task_worker_num,
            idle_task_worker_num=sum(each.state == "idle" for each in helpers),
            tasks_submitted=submitted,
            tasks_waiting=unanswered - running,
            tasks_running=running,
            tasks_done=done,
            tasks_failed=failed,
            tasks_lost=lost,
            tasks_redelivered=sum(self.get(each.worker_id, Cell.REDELIVERED) for each in helpers),
            tasks_late=total(Cell.LATE),
            spill_files=spill_files,
            task_workers=tuple(helpers),
        )

    @property
    def _rows(self) -> int:
        return self.worker_num + self.task_worker_num

    def _task_worker(self, worker_id: int) -> TaskWorkerStats:
        pid = self.get(worker_id, Cell.PID)
        state = State(self.get(worker_id, Cell.STATE))
        busy = state is State.BUSY
        since_ns = time.monotonic_ns() - self.get(worker_id, Cell.SINCE_NS)
        return TaskWorkerStats(
            worker_id=worker_id,
            pid=pid,
            state=state.name.lower(),
            task_id=self.get(worker_id, Cell.TASK_ID) if busy else None,
            since_s=since_ns / 1e9 if busy else None,
            done=self.get(worker_id, Cell.DONE),
            rss=_resident_bytes(pid),
        )


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process, 0 when it is gone. Source: proc(5), /proc/pid/statm, second field, pages."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
