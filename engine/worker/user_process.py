"""Runs a process of the program's own beside the workers: its coroutine on an event loop, and messages to it."""

import asyncio
import inspect
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from engine.callbacks import Callbacks
from engine.errors import UsageError
from engine.events import Events
from engine.ipc.board import Cell
from engine.ipc.bodies import Bodies
from engine.ipc.channel import inbox_of
from engine.ipc.file_notes import begin_files, discard_untold
from engine.ipc.message import Kind, Message
from engine.ipc.remote_clients import RemoteClients
from engine.ipc.resources import IpcResources
from engine.log_lines import get_logger
from engine.process.child import START_FAILED, Readiness
from engine.process.signals import listen_in_loop
from engine.settings import Settings
from engine.timers import LoopTimers
from engine.worker.inbox import Inbox
from engine.worker.inbox_processor import InboxProcessor
from engine.worker.loop_watch import watched
from engine.worker.outbox import Outbox

log = get_logger(__name__)

Target = Callable[[Any], Awaitable[Any]]
"""What such a process runs: an `async def` that is given the server."""
FAILED = 1
"""Exit code of a process whose target raised."""


def check_target(name: str, target: object, others: list[str]) -> None:
    """Raise UsageError for a process that cannot be added."""
    if not isinstance(name, str) or not name.isprintable() or not name.strip() or len(name) > 64:
        raise UsageError(f"a process cannot be named {name!r}, must be printable text of 1 to 64 characters")
    if name in others:
        raise UsageError(f"there is a process named {name!r} already")
    if not any(map(inspect.iscoroutinefunction, (target, type(target).__call__))):
        raise UsageError(f"the target of process {name!r} is {target!r}, must be an async def that takes the server")


class UserProcess(RemoteClients):
    """One process; there is never another one of its name. Messages to it wait in its inbox while it is away."""

    attempt = 1

    def __init__(
        self,
        server: Any,
        place: int,
        settings: Settings,
        events: Events,
        resources: IpcResources,
        name: str,
        target: Target,
    ) -> None:
        self.stopping = False
        """Whether this process was told to leave."""
        self._server = server
        self._place = place
        self._max_wait_s = settings.max_wait_time
        self._name = name
        self._target = target
        self._board = board = resources.board
        self._spill = resources.spill
        self._channel = resources.channel
        self._bodies = Bodies(resources.spill, place)
        self._callbacks = Callbacks(server, events)
        processor = InboxProcessor(self._bodies, settings.task_max_attempts, _no_answer, self._handle)
        worker_id = board.worker_id(place)
        packet = resources.process_packets[worker_id - board.worker_num - board.task_worker_num]
        self._inbox = Inbox(board, resources.channel, inbox_of(board, worker_id), packet, processor)
        self.timers = LoopTimers(lambda call: self._callbacks.guard("timer", call))
        self._outbox: Outbox

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Run the target until it ends or is told to leave; return the exit code."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._live(readiness))

    async def _live(self, readiness: Readiness) -> int:
        loop = asyncio.get_running_loop()
        self._outbox = Outbox(loop, self._channel, self._board, self._bodies)
        told = asyncio.Event()
        listen_in_loop(loop, signal.SIGTERM, told.set, self._note_stop)
        discard_untold(self._board, self._spill, self._place)
        begin_files(self._board, self._spill, self._place)
        self._board.put(self._place, Cell.PID, os.getpid())
        work = asyncio.ensure_future(self._target(self._server))
        await asyncio.sleep(0)  # what it does wrong before it waits for anything is a start that failed
        if work.done() and self._has_failed(work):
            return START_FAILED
        self._inbox.process_leftover()
        loop.add_reader(self._inbox.descriptor, self._inbox.read)
        readiness.announce()
        waiting = asyncio.ensure_future(told.wait())
        with watched(loop):
            await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        loop.remove_reader(self._inbox.descriptor)
        if not work.done():
            await self._leave(work)
        self.timers.clear_all()
        await self._finish_callbacks()
        await self._empty_outbox()
        return FAILED if self._has_failed(work) else 0

    def _note_stop(self) -> None:
        self.stopping = True

    async def _leave(self, work: asyncio.Future[Any]) -> None:
        """Cancel the target and wait for its end. It may take its time: the manager kills who takes too long."""
        if self._board.is_stopping:
            self._inbox.read_to_the_end()
            await self._finish_callbacks()
        work.cancel()
        await asyncio.wait((work,))

    async def _finish_callbacks(self) -> None:
        """Wait for callbacks that are at work, half of max_wait_time at most."""
        if self._callbacks.at_work:
            await asyncio.wait(self._callbacks.at_work, timeout=self._max_wait_s / 2 or None)

    async def _empty_outbox(self) -> None:
        self._outbox.flush()
        while self._outbox.waits_for_readers():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def _has_failed(self, work: asyncio.Future[Any]) -> bool:
        """Return whether the target raised, which is logged once."""
        if work.cancelled() or (error := work.exception()) is None:
            return False
        log.error("user process ended by an error", exc_info=error, extra={"title": self._name, "pid": os.getpid()})
        return True

    # ── what other processes send ────────────────────────────────────────────────────────────────

    def _handle(self, message: Message, is_foreign: bool) -> None:
        if message.kind == Kind.PIPE:
            self._callbacks.emit("pipe_message", self._board.worker_id(message.source), self._bodies.read(message))

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        self._outbox.tell(to, kind, number, data)

    def task(self, data: Any, target: int, end: object) -> int:
        raise UsageError("task() cannot be called in a user process; send_message() an event worker that calls it")

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        raise UsageError("task_wait() cannot be called in a user process; send_message() an event worker that does")

    def finish(self, data: Any) -> None:
        raise UsageError("finish() belongs into a task handler, and this is a user process")


def _no_answer(message: Message, is_foreign: bool) -> None:
    """Ignore the answer to a task: a user process cannot submit one."""
