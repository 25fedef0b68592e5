"""One message in hand: what its handler reaches, and how it is answered."""

import inspect
from dataclasses import dataclass
from typing import Any

from engine.errors import TaskTimeout, UsageError
from engine.events import Events
from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.message import HAS_WAITER, SPILLED, TIMED_OUT, Kind, Message, failure
from engine.log_lines import get_logger
from engine.settings import Settings
from engine.task_worker.answers import Answers

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every runner of a task worker works with."""

    server: Any
    place: int
    settings: Settings
    events: Events
    board: Board
    bodies: Bodies


class BaseRunner:
    """What is alike however handlers run: `SyncRunner` runs one after the other, `AsyncRunner` many at once."""

    def __init__(self, surroundings: Surroundings, answers: Answers) -> None:
        self.attempt = 1
        self._server = surroundings.server
        self._place = surroundings.place
        self._max_attempts = surroundings.settings.task_max_attempts
        self._timeout_s = surroundings.settings.task_timeout_s
        self._events = surroundings.events
        self._board = surroundings.board
        self._bodies = surroundings.bodies
        self._answers = answers
        self._at = 0
        """Where in its packet the message is."""
        self._current: Message | None = None
        """The task whose handler runs."""
        self._is_answered = False

    def finish(self, data: Any) -> None:
        """Answer the task in hand."""
        if self._current is None:
            raise no_task()
        if self._is_answered:
            raise UsageError(f"task {self._current.id} is finished already; return a value or call finish(), once")
        self._answer(self._current, Kind.FINISH, data)

    def _call(self, event: str, *args: Any) -> Any:
        callback = self._events.get(event)
        return callback(self._server, *args) if callback else None

    def _note_again(self, message: Message, attempt: int) -> None:
        self._board.add(self._place, Cell.REDELIVERED)
        log.warning("delivered again", extra={"task_id": message.id, "attempt": attempt})

    def _answer(self, task: Message, kind: Kind, data: Any) -> None:
        _, codec, source, task_id, _, _, _ = task
        answer = self._bodies.frame(kind, task_id, data, codec & HAS_WAITER)
        self._is_answered = True
        self._answers.add(source, answer)
        if codec & SPILLED:
            self._answers.put_aside(self._at, task)

    def _open(self, task: Message, attempt: int) -> bytes | None:
        """Take a task in hand, and give its body; None when its file is gone, and that is answered."""
        self.attempt = attempt
        self._current, self._is_answered = task, False
        try:
            return self._bodies.content(task)
        except FileNotFoundError as error:
            log.warning("task has no file any more, it was done before", extra={"task_id": task.id})
            self._answer(task, Kind.BODY_MISSING, failure(error))
            self._current = None
            return None

    def _fail(self, task: Message, error: BaseException) -> None:
        """Say that its handler raised this."""
        log.error("task handler raised", exc_info=error, extra={"task_id": task.id})
        if not self._is_answered:
            self._answer(task, Kind.FAILED, failure(error))

    def _time_out(self, task: Message) -> None:
        """Say that it took longer than it may; nobody tries it again."""
        if not self._is_answered:
            self._answer(task, Kind.FAILED, TaskTimeout(task.id, self._timeout_s))

    def _give_up(self, message: Message, deaths: int) -> None:
        self._is_answered = False
        if message.codec & TIMED_OUT:
            self._time_out(message)
        elif message.kind == Kind.TASK:
            self._answer(message, Kind.LOST, deaths)
        else:
            log.error("pipe message given up, its callback killed each worker", extra={"attempts": deaths})
            self._answers.put_aside(self._at, message)


def refuse_coroutine(event: str, result: Any) -> None:
    """Raises UsageError when a callback gave a coroutine where nobody runs it."""
    if inspect.iscoroutine(result):
        result.close()
        raise UsageError(f"{event} is async def, which a task worker cannot run; see task_enable_coroutine")


def no_task() -> UsageError:
    return UsageError("finish() belongs into a task handler, and no task is in hand")
