"""Keeps the tasks of one event worker from `task()` to their results."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from engine.callbacks import Callbacks
from engine.errors import TaskLost, TaskTimeout
from engine.events import TaskEnd, error_of, finish_of
from engine.ipc.backlog import Backlog
from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.counter import SharedCounter
from engine.ipc.message import ANY, HAS_WAITER, RAW, SPILLED, Kind, Message, decode, encode, failure, frame, to_bytes
from engine.ipc.transport import TaskTransport
from engine.log_lines import get_logger
from engine.worker.dispatcher import Dispatcher
from engine.worker.scheduler import Scheduler

log = get_logger(__name__)

_IDS_AT_ONCE: Final = 32
_TASK: Final = int(Kind.TASK)
_FINISH: Final = int(Kind.FINISH)
_DONE: Final = int(Kind.DONE)
"""Kinds up to DONE are of tasks that ended well."""
Waiter = TaskEnd | asyncio.Future[Any]
"""Who gets the result or failure of a task, where that is not `finish` and `task_error`."""


class Tasks:
    """Takes tasks in, and delivers each result or failure to the callback or coroutine that waits for it."""

    def __init__(
        self,
        place: int,
        board: Board,
        callbacks: Callbacks,
        bodies: Bodies,
        backlog: Backlog,
        transport: TaskTransport,
        task_ids: SharedCounter,
        max_bytes: int,
    ) -> None:
        self._place = place
        self._board = board
        self._cells = board.cells
        self._submitted, self._done = board.row(place) + Cell.SUBMITTED, board.row(place) + Cell.DONE
        self._files_sent = board.row(place) + Cell.FILES_SENT
        self._callbacks = callbacks
        self._bodies = bodies
        self._backlog = backlog
        self._transport = transport
        self._inline_bytes = transport.inline_bytes
        self._task_ids = task_ids
        self._upcoming_id = self._ids_end = 0
        self._first_task_id = task_ids.upcoming()
        first = board.worker_id(place) * board.task_worker_num // board.worker_num
        self._scheduler = Scheduler(board.task_worker_num, first)
        self._under_way_at = self._scheduler.under_way_at
        self.dispatcher = Dispatcher(place, board, self._scheduler, backlog, bodies, transport, max_bytes)
        self._waiters: dict[int, Waiter] = {}
        self._former: list[Message] = []
        self._seen: set[int] = set()
        """Tasks of processes before this one that were answered: an answer may come twice."""
        self._adopted: set[int] = set()
        """Tasks of the process in the other place, which may have sent them and not noted that."""

    @property
    def unanswered(self) -> int:
        return len(self._scheduler)

    @property
    def under_way(self) -> int:
        return self._scheduler.under_way

    @property
    def waiting(self) -> int:
        return self.unanswered - self.under_way

    # ── in ──────────────────────────────────────────────────────────────────────────────────────

    async def wait(self, data: Any, timeout_s: float, target: int) -> Any:
        """Submit a task and wait for its result. Raises TaskTimeout, TaskFailed, TaskLost."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        task_id = self.submit(data, target, waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except TimeoutError:
            raise TaskTimeout(task_id, timeout_s) from None

    def submit(self, data: Any, target: int, waiter: Waiter = None) -> int:
        """Take a task and return its id; it is sent at the end of this loop turn, or when there is room.

        From here on it survives this process. Raises TaskQueueFull, what pickle raises, and OSError when a file does
        not fit.
        """
        codec, body = encode(data)
        self.dispatcher.check_room(len(body))
        file = None
        if len(body) > self._inline_bytes:
            codec, file = codec | SPILLED, self._bodies.spill(body)
            body = file
        if waiter is not None:
            codec |= HAS_WAITER
        if self._upcoming_id == self._ids_end:
            self._draw_ids()
        task_id = self._upcoming_id
        self._upcoming_id = task_id + 1
        message = frame(_TASK, codec, self._place, task_id, body, ANY if target < 0 else target)
        try:
            self._backlog.append(task_id, message)
        except OSError:
            if file:
                self._bodies.unspill(file)
            raise
        self._cells[self._submitted] += 1
        if file:
            self._cells[self._files_sent] = self._bodies.files_made
        if waiter is not None:
            self._waiters[task_id] = waiter
        self._scheduler.submit(task_id, target)
        self.dispatcher.came_in(task_id, file)
        return task_id

    def _draw_ids(self) -> None:
        """Draw an id, or in a flood a block of them: to draw each would take a fifth of a round trip."""
        count = _IDS_AT_ONCE if self.dispatcher.is_due else 1
        self._upcoming_id = self._task_ids.draw(count)
        self._ids_end = self._upcoming_id + count

    def load(self) -> None:
        """Read what an earlier process in this place kept and did not send; before the first task of ours."""
        self._former = self._backlog.load()

    def take_over(self) -> None:
        """Submit that again, but for what turned out meanwhile to be done."""
        for message in self._former:
            if message.id in self._backlog:
                self._wait_again(message)
        self._former = []

    def adopt(self, other: Backlog) -> None:
        """Take what the process in the other place of this worker id kept and did not send; it is gone.

        What there is no room for stays there, and is taken as room comes, or by the process that comes there next.
        """
        inherited = deque(other.load())

        def take() -> None:
            """Take as much as there is room for."""
            other_place = self._board.other(self._place)
            with self._board.seats_locked(self._place):
                take_locked(other_place)

        def take_locked(other_place: int) -> None:
            if self._board.get(other_place, Cell.PID):
                inherited.clear()  # somebody sits there again, and has them
            while inherited and self.dispatcher.has_room(self._bytes_of(inherited[0])):
                message = inherited.popleft()
                if message.id not in self._backlog:
                    self._backlog.append(message.id, to_bytes(message._replace(source=self._place)))
                    self._adopted.add(message.id)
                    self._wait_again(message)
                other.remove([message.id])
            if inherited:
                self._board.put(other_place, Cell.QUEUE_BYTES, other.kept_bytes)
            elif self.dispatcher.take_more:
                self.dispatcher.take_more = None
                self._board.put(other_place, Cell.QUEUE_BYTES, 0)

        self.dispatcher.take_more = take
        take()

    def _bytes_of(self, message: Message) -> int:
        file = _file_of(message)
        return self._bodies.size(file) if file else len(message.body)

    def _wait_again(self, message: Message) -> None:
        self._scheduler.submit(message.id, -1 if message.target == ANY else message.target)
        self.dispatcher.came_in(message.id, _file_of(message))

    # ── out ─────────────────────────────────────────────────────────────────────────────────────

    def _is_double(self, task_id: int, is_foreign: bool) -> bool:
        """Return whether the answer to a task that is not under way here came already: a task worker that dies before
        it notes its answer does the task again."""
        return task_id in self._seen if is_foreign or task_id < self._first_task_id else True

    def answered(self, message: Message, is_foreign: bool = False) -> None:
        """Handle the answer to a task. One to an earlier process of this worker id goes to `finish`, too.

        `is_foreign`: it was sent to the other place of this worker id.
        """
        kind, codec, _, task_id, body, _, _ = message
        is_ours = task_id in self._under_way_at
        if not is_ours:
            if self._is_double(task_id, is_foreign):
                return
            if task_id in self._backlog:
                self.dispatcher.withdraw(task_id)  # sent by a process that died before it noted that
        if codec & SPILLED:
            try:
                codec, body = codec & ~SPILLED, self._bodies.content(message)
            except FileNotFoundError:
                # its task worker died before it noted that it sent this; the next one does the task again
                log.warning("file of a result is gone, waiting for the next attempt", extra={"task_id": task_id})
                return
        try:
            found = body if codec & ~HAS_WAITER == RAW else decode(codec, body)  # a call less, where there is no need
        except Exception as error:
            log.exception("result cannot be unpacked", extra={"task_id": task_id})
            kind, found = Kind.FAILED, failure(error)
        if is_ours:
            self._scheduler.answered(task_id)
        if is_foreign or task_id < self._first_task_id:
            self._seen.add(task_id)
        waiter = self._waiters.pop(task_id, None) if codec & HAS_WAITER else None
        if waiter is None and codec & HAS_WAITER:
            self._board.add(self._place, Cell.ORPHANED)
        # Counted behind the callback, next to where the message is noted as handled: whoever follows a process that
        # died in between handles the message again, and counts it again.
        if kind <= _DONE:
            self._ended_well(task_id, waiter, found, kind == _FINISH)
            self._cells[self._done] += 1
        else:
            self._ended_badly(task_id, waiter, found, is_lost=kind == Kind.LOST)
            self._board.add(self._place, Cell.LOST if kind == Kind.LOST else Cell.FAILED)

    def body_missing(self, message: Message) -> None:
        """Handle a task that a task worker found without its file.

        A task goes out twice when its event worker dies before it noted that it had sent it. The file goes with the
        first answer, which is then before this one in the same inbox: who still waits here waits for a file that
        somebody else removed. The first answer to one that was adopted went to the other place, and may be heard later.
        """
        if not self._scheduler.is_under_way(message.id):
            return
        if message.id in self._adopted:
            log.warning("task was done before, its answer went to who sent it", extra={"task_id": message.id})
            self._scheduler.answered(message.id)
        else:
            self.answered(message._replace(kind=Kind.FAILED))

    def _ended_well(self, task_id: int, waiter: Waiter, result: Any, has_result: bool) -> None:
        """Deliver a result to the coroutine that waits, to the task's own callback, or to `finish`; without a result
        nobody is called."""
        if isinstance(waiter, asyncio.Future):
            self._tell(waiter, lambda waiter: waiter.set_result(result if has_result else None))
        elif has_result and (callback := finish_of(waiter)):
            self._callbacks.run("finish_callback", callback, task_id, result)
        elif has_result:
            self._callbacks.emit("finish", task_id, result)

    def _ended_badly(self, task_id: int, waiter: Waiter, found: Any, *, is_lost: bool) -> None:
        if is_lost:
            log.error("task lost, each task worker that had it in hand died", extra={"task_id": task_id})
            found = TaskLost(task_id, found)
        if isinstance(waiter, asyncio.Future):
            self._tell(waiter, lambda waiter: waiter.set_exception(found))
        elif callback := error_of(waiter):
            self._callbacks.run("error_callback", callback, task_id, found)
        else:
            self._callbacks.emit("task_error", task_id, found)

    def _tell(self, waiter: asyncio.Future[Any], end: Callable[[asyncio.Future[Any]], None]) -> None:
        if waiter.done():
            self._board.add(self._place, Cell.LATE)
        else:
            end(waiter)


def _file_of(message: Message) -> bytes | None:
    return message.body if message.codec & SPILLED else None
