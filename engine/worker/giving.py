"""How the tasks that wait in one event worker get to task workers, as many as there is room for."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from engine.errors import TaskQueueFull
from engine.ipc.backlog import NOTED_BYTES, Backlog
from engine.ipc.bodies import Bodies
from engine.ipc.message import HEAD_BYTES
from engine.ipc.way import TaskWay
from engine.stats import Board, Cell, State
from engine.worker.outstanding import Gift, Load, Outstanding

_LOOK_AGAIN_S = 0.002
"""While tasks wait for a task worker that somebody else keeps busy, nobody tells us when it is free."""
_CALL_ENDS_NS = 50_000_000
"""Whoever called may have died before the task was sent."""


class Giving:
    """Sends what `outstanding` assigns, and holds clients back while too much waits."""

    def __init__(
        self,
        place: int,
        board: Board,
        outstanding: Outstanding,
        backlog: Backlog,
        bodies: Bodies,
        way: TaskWay,
        max_bytes: int,
    ) -> None:
        self._place = place
        self._board = board
        self._outstanding = outstanding
        self._backlog = backlog
        self._bodies = bodies
        self._way = way
        self._max_bytes = max_bytes
        self._high = max_bytes // 4 * 3
        self._low = max_bytes // 2
        self._in_files: dict[int, int] = {}
        """Bytes of tasks that wait and lie in files, by task id."""
        self._file_bytes = 0
        self._stuck: list[deque[tuple[Gift, bytes]]] = [deque() for _ in range(board.task_worker_num)]
        self.is_due = False
        """Whether tasks came in this loop turn; they are sent at its end."""
        self._look_again: asyncio.TimerHandle | None = None
        self._is_holding = False
        self.hold_clients: Callable[[], None] = lambda: None
        """Called when too much waits."""
        self.let_clients_go_on: Callable[[], None] = lambda: None
        """Called when there is room again."""
        self.is_stopped = False
        """Set when tasks are to stay where they are."""

    # ── how much waits ──────────────────────────────────────────────────────────────────────────

    @property
    def waiting_bytes(self) -> int:
        """With what is noted of each, or a flood of tiny tasks would take ten times what it may."""
        return self._backlog.bytes + self._file_bytes + NOTED_BYTES * len(self._backlog)

    def check_room(self, body_bytes: int) -> None:
        """Raises TaskQueueFull when a task with such a body has none. An empty backlog takes one of any size."""
        waiting = self.waiting_bytes
        if waiting and waiting + NOTED_BYTES + HEAD_BYTES + body_bytes > self._max_bytes:
            raise TaskQueueFull(waiting, self._max_bytes)

    def came_in(self, task_id: int, file: bytes | None) -> None:
        """A task is in the backlog now; a large one has a file."""
        if file:
            self._in_files[task_id] = size = self._bodies.size(file)
            self._file_bytes += size
        if self.waiting_bytes > self._high and not self._is_holding:
            self._is_holding = True
            self._note_bytes()
            self.hold_clients()
        self.soon()

    def withdraw(self, task_id: int) -> None:
        """A task that waits is not to be sent."""
        self._outstanding.withdraw(task_id)
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
        """Look at the end of this loop turn."""
        if not self.is_due:
            self.is_due = True
            asyncio.get_running_loop().call_soon(self._give)

    def again(self) -> None:
        """Something changed: look whether there is room now."""
        if self._outstanding.has_waiting or any(self._stuck):
            self.soon()
        elif self._is_holding:
            self._look_at_clients()

    def _give(self) -> None:
        self.is_due = False
        if self._look_again:
            self._look_again.cancel()
        if self.is_stopped:
            return
        for waiting in self._stuck:
            self._push(waiting)
        if self._outstanding.has_waiting and not (self._way.is_shared and any(self._stuck)):
            if not self._board.try_lock():
                self.soon()
                return
            try:
                gifts = self._outstanding.assign([self._load(number) for number in range(self._board.task_worker_num)])
                self._call(gifts)
            finally:
                self._board.unlock()
            for gift in gifts:
                self._send(gift)
        self._note_bytes()
        self._look_at_clients()
        if self._outstanding.has_waiting or any(self._stuck):
            self._look_again = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._give)

    def _load(self, number: int) -> Load:
        cells = self._board.cells
        row = self._board.row(self._board.current(self._board.worker_num + number))
        if self._stuck[number]:
            return Load(False, sys.maxsize, 0)
        state = cells[row + Cell.STATE]
        if most := self._board.concurrency:
            # in a queue others may take what was meant for this one; in an inbox what is under way takes up its room
            left = most if self._way.is_shared else most - self._outstanding.counts[number]
            return Load(state == State.IDLE, 0, 0, max(0, min(cells[row + Cell.ROOM], left)))
        if state == State.BUSY:
            return Load(False, time.monotonic_ns() - cells[row + Cell.SINCE_NS], cells[row + Cell.MEAN_NS])
        called_ns = cells[row + Cell.CALLED_NS]
        is_idle = state == State.IDLE and (not called_ns or time.monotonic_ns() - called_ns > _CALL_ENDS_NS)
        return Load(is_idle, 0 if is_idle else sys.maxsize, cells[row + Cell.MEAN_NS])  # nobody knows when it is back

    def _call(self, gifts: list[Gift]) -> None:
        """Note who will be at work, before others look: an idle task worker needs a while to wake."""
        for gift in gifts:
            row = self._board.row(self._board.current(self._board.worker_num + gift.number))
            self._board.cells[row + Cell.CALLED_NS] = time.monotonic_ns()

    def _send(self, gift: Gift) -> None:
        """Put tasks into packets, and those on their way. Each is in the backlog until it is."""
        waiting = self._stuck[gift.number]
        most_bytes = 0 if self._board.concurrency else self._way.packet_bytes  # coroutines travel alone
        for ids, packet in self._backlog.packets(gift.ids, most_bytes):
            if waiting or not self._way.send(gift.number, packet, is_named=gift.is_named):
                waiting.append((gift._replace(ids=ids), packet))
            else:
                self._gone(ids)

    def _push(self, waiting: deque[tuple[Gift, bytes]]) -> None:
        """Try what did not fit before."""
        while waiting:
            gift, packet = waiting[0]
            if not self._way.send(gift.number, packet, is_named=gift.is_named):
                return
            waiting.popleft()
            self._gone(gift.ids)

    def _look_at_clients(self) -> None:
        if self._is_holding and self.waiting_bytes <= self._low:
            self._is_holding = False
            self.let_clients_go_on()
