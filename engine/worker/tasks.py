"""The tasks of one event worker: sent away, under way, answered."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from engine.errors import TaskLost, TaskTimeout
from engine.ipc.bodies import Bodies
from engine.ipc.counter import SharedCounter
from engine.ipc.message import Kind, Message, failure
from engine.stats import Board, Cell, State
from engine.worker.callbacks import Callbacks
from engine.worker.outbox import Outbox
from engine.worker.outstanding import Entry, Load, Outstanding

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.002
"""While tasks wait for a task worker that somebody else keeps busy, nobody tells us when it is free."""


class Tasks:
    """Gives tasks to task workers that have room, and their ends to whoever wants them."""

    def __init__(
        self,
        worker_id: int,
        board: Board,
        callbacks: Callbacks,
        bodies: Bodies,
        outbox: Outbox,
        task_ids: SharedCounter,
    ) -> None:
        self._id = worker_id
        self._board = board
        self._callbacks = callbacks
        self._bodies = bodies
        self._outbox = outbox
        self._task_ids = task_ids
        self._first_task_id = task_ids.upcoming()
        self._outstanding = Outstanding(board.task_worker_num)
        self._pump_is_due = False
        self._look_again: asyncio.TimerHandle | None = None
        for number in range(board.task_worker_num):  # what a former process of this worker id had under way
            board.put_load(worker_id, number, 0)

    def __len__(self) -> int:
        """How many are not answered."""
        return len(self._outstanding)

    async def wait(self, data: Any, timeout_s: float, target: int) -> Any:
        """Submit, and wait for the end. Raises TaskTimeout, TaskFailed, TaskLost."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        task_id = self.submit(data, target, waiter=waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except TimeoutError:
            raise TaskTimeout(task_id, timeout_s) from None

    def submit(
        self,
        data: Any,
        target: int,
        callback: Callable[..., Any] | None = None,
        waiter: asyncio.Future[Any] | None = None,
    ) -> int:
        """Take a task and give its id; it is sent at the end of this loop turn, or when there is room."""
        message = self._bodies.pack(Kind.TASK, 0, data)
        task_id = self._task_ids.next()
        self._board.add(self._id, Cell.SUBMITTED)
        self._outstanding.submit(message._replace(id=task_id), target, callback, waiter)
        self._pump_soon()
        return task_id

    def send_waiting(self) -> None:
        """Something changed: look whether there is room now."""
        if self._outstanding.has_waiting:
            self._pump_soon()

    def _pump_soon(self) -> None:
        if not self._pump_is_due:
            self._pump_is_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Give waiting tasks to task workers that have room."""
        self._pump_is_due = False
        if self._look_again:
            self._look_again.cancel()
        if not self._board.try_lock():
            self._pump_soon()
            return
        try:
            given = self._outstanding.assign([self._load(number) for number in range(self._board.task_worker_num)])
            for number, _ in given:
                self._board.put_load(self._id, number, self._outstanding.counts[number])
        finally:
            self._board.unlock()
        for number, messages in given:
            for message in messages:
                self._outbox.post(self._board.worker_num + number, message)
        if self._outstanding.has_waiting:
            self._look_again = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._pump)

    def _load(self, number: int) -> Load:
        board, row = self._board, self._board.worker_num + number
        state = board.get(row, Cell.STATE)
        if state == State.BUSY:
            busy_ns = time.monotonic_ns() - board.get(row, Cell.SINCE_NS)
        else:
            busy_ns = 0 if state == State.IDLE else sys.maxsize  # nobody knows when it is back
        others = sum(board.load(each, number) for each in range(board.worker_num) if each != self._id)
        is_idle = state == State.IDLE and not self._outbox.is_stuck(row)
        return Load(is_idle, busy_ns, board.get(row, Cell.MEAN_NS), others)

    def returned(self, message: Message) -> None:
        """A task worker is in a long task and gives back what it has not begun."""
        if message.id >= self._first_task_id and not self._outstanding.is_under_way(message.id):
            return  # answered meanwhile, by a task worker that has it twice after a death
        self._outstanding.returned(message._replace(kind=Kind.TASK, source=self._id))
        self._put_loads()

    def _put_loads(self) -> None:
        for number, count in enumerate(self._outstanding.counts):
            self._board.put_load(self._id, number, count)

    def answered(self, message: Message) -> None:
        """A task is over. One that a former process of this worker id asked for goes to `finish`, too."""
        if message.id >= self._first_task_id and not self._outstanding.is_under_way(message.id):
            self._bodies.drop(message)  # its task worker died before it noted the first answer, and did it again
            return
        kind = message.kind
        try:
            whole = self._bodies.fetch(message)
        except FileNotFoundError:
            # its task worker died before it noted that it said this; the next one does the task again
            log.warning("answer's file is gone, waiting for another", extra={"task_id": message.id})
            return
        try:
            found = self._bodies.read(whole)
        except Exception as error:
            log.exception("result cannot be unpacked", extra={"task_id": message.id})
            kind, found = Kind.FAILED, failure(error)
        if entry := self._outstanding.answered(message.id):
            self._board.put_load(self._id, entry.task_worker, self._outstanding.counts[entry.task_worker])
        if kind in (Kind.FINISH, Kind.DONE):
            self._board.add(self._id, Cell.DONE)
            self._ended_well(message.id, entry, found, has_result=kind == Kind.FINISH)
            return
        if kind == Kind.LOST:
            self._board.add(self._id, Cell.LOST)
            log.error("task lost, each task worker that had it in hand died", extra={"task_id": message.id})
            found = TaskLost(message.id, found)
        else:
            self._board.add(self._id, Cell.FAILED)
        if entry and entry.waiter:
            self._tell(entry.waiter, lambda waiter: waiter.set_exception(found))
        else:
            self._callbacks.emit("task_error", message.id, found)

    def _ended_well(self, task_id: int, entry: Entry | None, result: Any, *, has_result: bool) -> None:
        """To who waits, to its own callback, or to `finish`; without a result nobody is called."""
        if entry and entry.waiter:
            self._tell(entry.waiter, lambda waiter: waiter.set_result(result if has_result else None))
        elif has_result and entry and entry.callback:
            self._callbacks.run("finish_callback", entry.callback, task_id, result)
        elif has_result:
            self._callbacks.emit("finish", task_id, result)

    def _tell(self, waiter: asyncio.Future[Any], end: Callable[[asyncio.Future[Any]], None]) -> None:
        if waiter.done():
            self._board.add(self._id, Cell.LATE)
        else:
            end(waiter)
