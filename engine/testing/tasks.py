"""Keeps the tasks of an inline server in order, runs them one by one, and ends them as in production."""

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.callbacks import Callbacks
from engine.errors import TaskLost, TaskQueueFull, TaskTimeout, UsageError
from engine.events import Events, TaskEnd, error_of, finish_of
from engine.ipc.backlog import NOTED_BYTES
from engine.ipc.message import HEAD_BYTES, Kind, decode, encode, failure
from engine.log_lines import get_logger
from engine.server import Server
from engine.testing.lately import Lately
from engine.testing.loop import StandingLoop
from engine.testing.raised import Raised
from engine.testing.role import Answer, Role, current, playing

log = get_logger(__name__)


@dataclass(slots=True)
class Task:
    """A task that is not answered, as it travels; `task_worker` counts from 0."""

    id: int
    source: int
    task_worker: int
    codec: int
    body: bytes
    end: TaskEnd
    waiter: asyncio.Future[Any] | None
    submitted_at: float
    """On the loop's clock."""
    error: BaseException | None = None
    """What its handler raised."""


class Tasks:
    """From submission to answer. Data and results are packed and unpacked, so what cannot travel fails here, too."""

    def __init__(
        self, server: Server, events: Events, loop: StandingLoop, callbacks: Callbacks, raised: Raised
    ) -> None:
        self._server = server
        self._handler = events.get("task") or _no_handler
        self._has_task_error = events.get("task_error") is not None
        self._raised = raised
        self._settings = server.settings
        self._loop = loop
        self._callbacks = callbacks
        self._waiting: deque[Task] = deque()
        self._waiting_bytes = [0] * self._settings.worker_num
        self.running: Task | None = None
        self.done_lately = Lately(loop)
        self.submitted = self.done = self.failed = self.lost = self.late = self.redelivered = 0
        self.done_by = [0] * self._settings.task_worker_num

    def __len__(self) -> int:
        """How many tasks wait."""
        return len(self._waiting)

    def waiting_at(self, worker_id: int) -> int:
        """Return how many tasks of this event worker wait."""
        return sum(each.source == worker_id for each in self._waiting)

    @property
    def oldest_waiting_s(self) -> float | None:
        """Return how long the next task has waited, seconds; None when none waits."""
        return self._loop.time() - self._waiting[0].submitted_at if self._waiting else None

    def submit(
        self,
        data: Any,
        target: int,
        end: TaskEnd = None,
        waiter: asyncio.Future[Any] | None = None,
    ) -> int:
        role = current()
        if role.worker_id >= self._settings.worker_num:
            raise UsageError("task() cannot be called in a task worker; send_message() an event worker that calls it")
        codec, body = encode(data)
        waiting_bytes, limit = self._waiting_bytes[role.worker_id], self._settings.task_queue_max_bytes
        if waiting_bytes and waiting_bytes + _kept_bytes(body) > limit:
            raise TaskQueueFull(waiting_bytes, limit)
        self._waiting_bytes[role.worker_id] += _kept_bytes(body)
        task_id = self.submitted
        number = target if target >= 0 else task_id % self._settings.task_worker_num
        self.submitted += 1
        self._waiting.append(Task(task_id, role.worker_id, number, codec, body, end, waiter, self._loop.time()))
        return task_id

    async def wait(self, role: Role, data: Any, timeout_s: float, target: int) -> Any:
        with playing(role):
            waiter: asyncio.Future[Any] = self._loop.create_future()
            task_id = self.submit(data, target, waiter=waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except TimeoutError:
            raise TaskTimeout(task_id, timeout_s) from None

    def run_next(self) -> bool:
        """Run the task that waits longest and deliver its result; False when none waits."""
        if not self._waiting:
            return False
        self.running = task = self._waiting.popleft()
        self._waiting_bytes[task.source] -= _kept_bytes(task.body)
        try:
            answer = self._attempt_all(task)
        finally:
            self.running = None
        self._loop.call_soon(self._answered, task, answer)
        self._loop.settle()
        return True

    def _attempt_all(self, task: Task) -> Answer:
        most = self._settings.task_max_attempts
        for attempt in range(1, most + 1):
            try:
                return self._do(task, Role(self._settings.worker_num + task.task_worker, task.id, attempt))
            except SystemExit as error:
                task.error = error
                log.warning("task worker died with a task in hand", extra={"task_id": task.id, "attempt": attempt})
                self.redelivered += attempt < most
        return Answer(Kind.LOST, 0, b"")

    def _do(self, task: Task, role: Role) -> Answer:
        """Run the handler, outside of the loop as in a task worker. Raises SystemExit when it does."""
        try:
            with playing(role):
                result = self._handler(self._server, task.id, task.source, decode(task.codec, task.body))
                if inspect.iscoroutine(result):
                    result = self._loop.complete(result, f"task {task.id}")
                if result is not None:
                    self.finish(result)
            self.done_by[task.task_worker] += 1
        except Exception as error:
            log.exception("task handler raised", extra={"task_id": task.id})
            task.error = error
            if role.answer is None:
                role.answer = Answer(Kind.FAILED, *encode(failure(error)))
            else:  # it had its answer, and nobody hears of this
                self._raised.note(error)
        return role.answer or Answer(Kind.DONE, 0, b"")

    def finish(self, data: Any) -> None:
        role = current()
        if role.worker_id < self._settings.worker_num:
            raise UsageError("finish() belongs into a task handler, and this is an event worker")
        if role.task_id is None:
            raise UsageError("finish() belongs into a task handler, and no task is in hand")
        if role.answer:
            raise UsageError(f"task {role.task_id} is finished already; return a value or call finish(), once")
        role.answer = Answer(Kind.FINISH, *encode(data))

    def _answered(self, task: Task, answer: Answer) -> None:
        """Handle an answer as the event worker does. One that cannot be unpacked is a failure, as in production."""
        kind = answer.kind
        try:
            value = decode(answer.codec, answer.body)
        except Exception as error:
            log.exception("result cannot be unpacked", extra={"task_id": task.id})
            kind, value = Kind.FAILED, failure(error)
        with playing(Role(task.source)):
            if kind in (Kind.FINISH, Kind.DONE):
                self.done += 1
                self.done_lately.note()
                self._ended_well(task, value, has_result=kind == Kind.FINISH)
            else:
                self.failed += kind == Kind.FAILED
                self.lost += kind == Kind.LOST
                self._ended_badly(
                    task, value if kind == Kind.FAILED else TaskLost(task.id, self._settings.task_max_attempts)
                )

    def _ended_well(self, task: Task, result: Any, *, has_result: bool) -> None:
        if task.waiter:
            self._tell(task.waiter, lambda waiter: waiter.set_result(result if has_result else None))
        elif has_result and (callback := finish_of(task.end)):
            self._callbacks.run("finish_callback", callback, task.id, result)
        elif has_result:
            self._callbacks.emit("finish", task.id, result)

    def _ended_badly(self, task: Task, error: Exception) -> None:
        if task.waiter:
            self._tell(task.waiter, lambda waiter: waiter.set_exception(error))
        elif callback := error_of(task.end):
            self._callbacks.run("error_callback", callback, task.id, error)
        elif self._has_task_error:
            self._callbacks.emit("task_error", task.id, error)
        else:
            error.__cause__ = task.error
            self._raised.note(error)

    def _tell(self, waiter: asyncio.Future[Any], end: Callable[[asyncio.Future[Any]], None]) -> None:
        if waiter.done():
            self.late += 1
        else:
            end(waiter)


def _no_handler(*_: object) -> None:
    raise UsageError("a server with task workers needs a callback for task")


def _kept_bytes(body: bytes) -> int:
    """Return how many bytes a task that waits counts for."""
    return NOTED_BYTES + HEAD_BYTES + len(body)
