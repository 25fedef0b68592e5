"""Sends the tasks that wait in one event worker to task workers, as far as their credit goes."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from engine.errors import TaskQueueFull
from engine.ipc.backlog import NOTED_BYTES, Backlog
from engine.ipc.board import Board, Cell, State
from engine.ipc.bodies import Bodies
from engine.ipc.message import HEAD_BYTES
from engine.ipc.transport import TaskTransport
from engine.log_lines import get_logger
from engine.worker.scheduler import Assignment, Load, Scheduler

log = get_logger(__name__)

_LOOK_AGAIN_S: Final = 0.002
"""How often to look while tasks wait: nobody tells us when a task worker that others keep busy has credit again."""
_CALL_ENDS_NS: Final = 50_000_000
"""After so long a called task worker counts as idle again: whoever called it may have died before it sent the task."""


class Dispatcher:
    """Sends what the scheduler assigns, and pauses clients while too much waits."""

    def __init__(
        self,
        place: int,
        board: Board,
        scheduler: Scheduler,
        backlog: Backlog,
        bodies: Bodies,
        transport: TaskTransport,
        max_bytes: int,
    ) -> None:
        self._place = place
        self._board = board
        self._scheduler = scheduler
        self._backlog = backlog
        self._bodies = bodies
        self._transport = transport
        self._max_bytes = max_bytes
        self._high = max_bytes // 4 * 3
        self._low = max_bytes // 2
        self._in_files: dict[int, int] = {}
        """Bytes of tasks that wait and lie in files, by task id."""
        self._file_bytes = 0
        self._stuck: list[deque[tuple[Assignment, bytes]]] = [deque() for _ in range(board.task_worker_num)]
        self._failure = ""
        """Why sending failed last; each reason is logged once in a row."""
        self.is_due = False
        """Whether tasks came in this loop turn; they are sent at its end."""
        self._look_again: asyncio.TimerHandle | None = None
        self._has_paused = False
        self.pause_clients: Callable[[], None] = lambda: None
        """Called when too much waits."""
        self.resume_clients: Callable[[], None] = lambda: None
        """Called when little enough waits again."""
        self.take_more: Callable[[], None] | None = None
        """Called when tasks were sent: those of a process that is gone wait elsewhere until there is room here."""
        self.is_stopped = False
        """Set when no task is to be sent any more."""

    # ── how much waits ──────────────────────────────────────────────────────────────────────────

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all that waits, with what is noted of each: tiny tasks take ten times what their bodies do."""
        return self._backlog.kept_bytes + self._file_bytes

    def check_room(self, body_bytes: int) -> None:
        """Raise TaskQueueFull when there is no room for a task with such a body. An empty backlog takes one of any
        size."""
        waiting = self._backlog.kept_bytes + self._file_bytes
        if waiting + NOTED_BYTES + HEAD_BYTES + body_bytes > self._max_bytes and waiting:
            raise TaskQueueFull(waiting, self._max_bytes)

    def has_room(self, body_bytes: int) -> bool:
        """Return whether there is room for a task with such a body."""
        waiting = self.waiting_bytes
        return not waiting or waiting + NOTED_BYTES + HEAD_BYTES + body_bytes <= self._max_bytes

    def came_in(self, task_id: int, file: bytes | None) -> None:
        """Count a task that is in the backlog now; a large one has a file."""
        if file:
            self._in_files[task_id] = size = self._bodies.size(file)
            self._file_bytes += size
        if self._backlog.kept_bytes + self._file_bytes > self._high and not self._has_paused:
            self._has_paused = True
            self._note_bytes()
            self.pause_clients()
        if not self.is_due:
            self.soon()

    def withdraw(self, task_id: int) -> None:
        """Remove a task that waits: it is not to be sent."""
        self._scheduler.withdraw(task_id)
        self._gone([task_id])
        self._note_bytes()

    def _gone(self, task_ids: Sequence[int]) -> None:
        self._backlog.remove(task_ids)
        if self._in_files:
            for task_id in task_ids:
                self._file_bytes -= self._in_files.pop(task_id, 0)

    def _note_bytes(self) -> None:
        self._board.put(self._place, Cell.QUEUE_BYTES, self.waiting_bytes)
        self._board.put(self._place, Cell.WAITING, len(self._backlog))

    # ── out ─────────────────────────────────────────────────────────────────────────────────────

    def soon(self) -> None:
        """Send what can be sent at the end of this loop turn."""
        if not self.is_due:
            self.is_due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def again(self) -> None:
        """Send more, where the change that the caller saw allows it."""
        if self._scheduler.has_waiting or any(self._stuck):
            self.soon()
        elif self._has_paused:
            self._resume_if_low()

    def _dispatch_late(self) -> None:
        """Send what waited for a while without any change."""
        self._look_again = None
        self._dispatch(is_late=True)

    def _dispatch(self, *, is_late: bool = False) -> None:
        self.is_due = False
        if self.is_stopped:
            return
        for waiting in self._stuck:
            if waiting:
                self._push(waiting)
        if self._scheduler.has_waiting and not (self._transport.is_shared and any(self._stuck)):
            if not self._board.try_lock():
                self.soon()
                return
            try:
                loads = [self._load(number) for number in range(self._board.task_worker_num)]
                assignments = self._scheduler.assign(loads, is_late=is_late)
                self._call(assignments)
            finally:
                self._board.unlock()
            for assignment in assignments:
                self._pack(assignment)
            for assignment in assignments:
                self._push(self._stuck[assignment.number])
        if self.take_more:
            self.take_more()
        self._note_bytes()
        self._resume_if_low()
        if self._scheduler.has_waiting or any(self._stuck):
            if not self._look_again:
                self._look_again = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._dispatch_late)
        elif self._look_again:
            self._look_again.cancel()
            self._look_again = None

    def _load(self, number: int) -> Load:
        cells = self._board.cells
        row = self._board.row(self._board.current(self._board.worker_num + number))
        if self._stuck[number]:
            return Load(False, sys.maxsize, 0)
        state = cells[row + Cell.STATE]
        if most := self._board.concurrency:
            # In a queue others may take what was meant for this one. In a socket what is on its way takes up its room,
            # but one that is idle has some: others, that found it blocked, may have taken what we sent.
            is_idle = state == State.IDLE
            left = most if self._transport.is_shared else max(int(is_idle), most - self._scheduler.counts[number])
            return Load(is_idle, 0, 0, max(0, min(cells[row + Cell.CREDIT], left)))
        if state == State.BUSY:
            return Load(False, time.monotonic_ns() - cells[row + Cell.SINCE_NS], cells[row + Cell.MEAN_NS])
        if state == State.IDLE:
            called_ns = cells[row + Cell.CALLED_NS]
            since_ns = time.monotonic_ns() - called_ns if called_ns else 0
            is_called = 0 < since_ns < _CALL_ENDS_NS  # and takes more at once, when it wakes soon
            return Load(not is_called, since_ns if is_called else 0, cells[row + Cell.MEAN_NS])
        return Load(False, sys.maxsize, 0)  # nobody knows when it is back

    def _call(self, assignments: list[Assignment]) -> None:
        """Note which task workers will be at work, before others look: an idle one needs a while to wake."""
        for assignment in assignments:
            row = self._board.row(self._board.current(self._board.worker_num + assignment.number))
            self._board.cells[row + Cell.CALLED_NS] = time.monotonic_ns()

    def _pack(self, assignment: Assignment) -> None:
        """Put tasks into packets, behind those that are not sent yet."""
        number, is_named, ids = assignment
        most_bytes = 0 if self._board.concurrency else self._transport.packet_bytes  # coroutines travel alone
        self._stuck[number].extend(
            (Assignment(number, is_named, part), packet) for part, packet in self._backlog.packets(ids, most_bytes)
        )

    def _push(self, waiting: deque[tuple[Assignment, bytes]]) -> None:
        """Send packets as long as there is room. Each task is in the backlog until it is sent; what cannot be sent is
        tried again, whatever the reason."""
        try:
            while waiting:
                assignment, packet = waiting[0]
                if not self._transport.send(assignment.number, packet, is_named=assignment.is_named):
                    return
                waiting.popleft()
                self._gone(assignment.ids)
        except OSError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                log.error("tasks could not be sent, trying again", extra={"reason": str(error)})

    def _resume_if_low(self) -> None:
        if self._has_paused and self.waiting_bytes <= self._low:
            self._has_paused = False
            self.resume_clients()
