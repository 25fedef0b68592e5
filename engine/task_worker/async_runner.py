"""One packet among several that are in hand at once: goes on while its handler does, waits where that waits."""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from engine.ipc.board import Cell
from engine.ipc.in_flight import InFlight, InFlightTask
from engine.ipc.message import SPILLED, Kind, Message, decode
from engine.log_lines import get_logger
from engine.task_worker.answers import Answers
from engine.task_worker.base_runner import BaseRunner, Surroundings

log = get_logger(__name__)

_current: ContextVar["AsyncRunner | None"] = ContextVar("runner", default=None)


def current() -> "AsyncRunner | None":
    """The runner whose handler this code belongs to, also in what that handler started."""
    return _current.get()


class AsyncRunner(BaseRunner):
    """Made for one packet, in which a task is alone, so that what outlives its handler reaches no other one."""

    def __init__(
        self, surroundings: Surroundings, answers: Answers, in_flight: InFlight, is_to_leave: Callable[[], bool]
    ) -> None:
        """`answers`: its own."""
        super().__init__(surroundings, answers)
        self._in_flight = in_flight
        self._is_to_leave = is_to_leave

    async def run(self, entries: list[InFlightTask]) -> bool:
        """Do what is in hand, in order; whether it is empty now. When it is time to leave, the rest stays there for
        the process that follows."""
        _current.set(self)
        for place, message, begun, deaths in entries:
            if self._is_to_leave():
                return False
            self._at = place
            if deaths >= self._max_attempts:
                self._give_up(message, deaths)
            else:
                self._in_flight.begin(place)
                await self._do(message, begun + 1)
                self._in_flight.end(place)
            self._answers.send(self._in_flight, place + 1)
        self._in_flight.clear()
        return True

    async def _do(self, message: Message, attempt: int) -> None:
        """Handle one message; nothing that a handler raises gets past here, but what ends a process."""
        if attempt > 1:
            self._note_again(message, attempt)
        if message.kind == Kind.TASK:
            await self._do_task(message, attempt)
        elif message.kind == Kind.PIPE:
            try:
                source = self._board.worker_id(message.source)
                await finished(self._call("pipe_message", source, self._bodies.read(message)))
            except (Exception, asyncio.CancelledError):
                log.exception("callback raised", extra={"event": "pipe_message"})
            self._answers.put_aside(self._at, message)

    async def _do_task(self, message: Message, attempt: int) -> None:
        if (body := self._open(message, attempt)) is None:
            return
        limit = asyncio.timeout(self._timeout_s or None)
        try:
            source = self._board.worker_id(message.source)
            data = decode(message.codec & ~SPILLED, body)
            async with limit:
                result = await finished(self._call("task", message.id, source, data))
            if result is not None:
                self.finish(result)
            elif not self._is_answered:
                self._answer(message, Kind.DONE, b"")
            self._board.add(self._place, Cell.DONE)
        except (Exception, asyncio.CancelledError) as error:  # nobody but the program itself cancels a handler
            if limit.expired() and isinstance(error, TimeoutError):
                log.error("task took too long, cancelled", extra={"task_id": message.id})
                self._time_out(message)
            else:
                self._fail(message, error)
        finally:
            self._current = None

    def _answer(self, task: Message, kind: Kind, data: Any) -> None:
        """Send it at once: others would tell of more files than were sent, and the handler may go on for long."""
        super()._answer(task, kind, data)
        self._answers.send(self._in_flight, self._at)


async def finished(result: Any) -> Any:
    """What a callback gave, whether it is a coroutine or not."""
    return await result if inspect.isawaitable(result) else result
