"""Which tasks take longer than `task_timeout_s`: found on the board, noted where they are in flight."""

import time
from collections.abc import Mapping, Sequence

from engine.ipc.board import Board, Cell, State
from engine.ipc.in_flight import InFlight

GRACE_S = 1.0
"""How much longer a task worker of coroutines may take: it cancels them itself, unless one of them blocks it."""


class TaskLimit:
    """The manager's view of all tasks that are being handled."""

    def __init__(self, board: Board, in_flight_slots: Mapping[int, Sequence[InFlight]], timeout_s: float) -> None:
        """`in_flight_slots`: those of each place of a task worker. `timeout_s` is above 0."""
        self._board = board
        self._in_flight_slots = in_flight_slots
        self._limit_ns = int((timeout_s + (GRACE_S if board.concurrency else 0)) * 1e9)

    def overdue(self) -> list[tuple[int, int]]:
        """Worker id and seat of each task worker whose task takes too long; the oldest counts where it has several."""
        now_ns = time.monotonic_ns()
        return [self._seat(place) for place in self._in_flight_slots if self._rest_ns(place, now_ns) <= 0]

    def next_look_in_s(self) -> float:
        """After how many seconds the first task may be overdue; one that begins now is, when the limit is over."""
        now_ns = time.monotonic_ns()
        return min(self._rest_ns(place, now_ns) for place in self._in_flight_slots) / 1e9

    def expire(self, worker_id: int, seat: int) -> int | None:
        """Note that the task of this process has had its time, so that it is not begun again; its id. None when the
        process is through with it. Only while that stands still, about to be killed."""
        place = self._board.place(worker_id, seat)
        if self._rest_ns(place, time.monotonic_ns()) > 0:
            return None
        task_id = self._board.get(place, Cell.TASK_ID)
        return task_id if any(slot.expire(task_id) for slot in self._in_flight_slots[place]) else None

    def _rest_ns(self, place: int, now_ns: int) -> int:
        """How long the task that is handled there may go on, or one that began now."""
        if self._board.get(place, Cell.STATE) != State.BUSY:
            return self._limit_ns
        return self._limit_ns - (now_ns - self._board.get(place, Cell.SINCE_NS))

    def _seat(self, place: int) -> tuple[int, int]:
        worker_id = self._board.worker_id(place)
        return worker_id, int(self._board.place(worker_id, 1) == place)
