"""An event worker: clients on one side, task workers on the other, one loop that never blocks."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvloop

from engine.errors import UsageError
from engine.events import Events
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel
from engine.ipc.counter import SharedCounter
from engine.ipc.message import Kind, Message, unpack
from engine.ipc.spill import SpillDirectory
from engine.process.child import START_FAILED, Readiness
from engine.settings import Settings
from engine.stats import Board, Cell
from engine.worker.callbacks import Callbacks
from engine.worker.clients import Clients
from engine.worker.connection import Connection
from engine.worker.outbox import Outbox
from engine.worker.tasks import Tasks

log = logging.getLogger(__name__)

_PACKETS_A_TURN = 64
"""Answers are read in rounds, so that a flood of them leaves clients their turn."""


class EventWorker:
    """One process. The methods below `run` are what callbacks reach through `Server`."""

    stopping = False
    attempt = 1

    def __init__(
        self,
        server: Any,
        worker_id: int,
        settings: Settings,
        events: Events,
        board: Board,
        channel: Channel,
        spill: SpillDirectory,
        task_ids: SharedCounter,
        listener: socket.socket,
    ) -> None:
        self.settings = settings
        self._id = worker_id
        self._board = board
        self._channel = channel
        self._task_ids = task_ids
        self._listener = listener
        self._callbacks = Callbacks(server, events)
        self._bodies = Bodies(spill, worker_id)
        self._clients = Clients(worker_id, settings, board, self._callbacks, self._post)
        self._loop: asyncio.AbstractEventLoop
        self._outbox: Outbox
        self._tasks: Tasks
        self._told_to_stop: asyncio.Event
        self._last_answer_came: asyncio.Event

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Serve until told to stop; the exit code."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._live(readiness))

    async def _live(self, readiness: Readiness) -> int:
        self._loop = asyncio.get_running_loop()
        outbox = Outbox(self._loop, self._channel, self._board.worker_num + self._board.task_worker_num)
        self._outbox = outbox
        self._tasks = Tasks(self._id, self._board, self._callbacks, self._bodies, outbox, self._task_ids)
        self._told_to_stop = asyncio.Event()
        self._last_answer_came = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, self._told_to_stop.set)
        self._take_over_row()
        try:
            if (starting := self._callbacks.call("worker_start", self._id)) is not None:
                await starting
        except Exception:
            log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
            return START_FAILED
        self._loop.add_reader(self._channel.readable(self._id), self._read_inbox)
        accepting = await self._loop.create_server(
            lambda: Connection(self._clients), sock=self._listener, backlog=self.settings.backlog
        )
        readiness.announce()
        await self._told_to_stop.wait()
        await self._leave(accepting)
        return 0

    def _take_over_row(self) -> None:
        """Put right what a former process of this worker id left on the board: its connections are gone."""
        self._board.put(self._id, Cell.PID, os.getpid())
        self._board.put(self._id, Cell.CLOSED, self._board.get(self._id, Cell.ACCEPTED))

    async def _leave(self, accepting: asyncio.Server) -> None:
        """Accept and read no more, wait for what is under way, say good-bye."""
        self.stopping = True
        accepting.close()
        self._clients.stop_reading()
        self._callbacks.emit("worker_exit", self._id)
        try:
            async with asyncio.timeout(self.settings.max_wait_time or None):
                # task workers that finish what they have in hand may still have much to say to any of us
                while (self._tasks or self._board.is_stopping) and not self._last_answer_came.is_set():
                    await self._wait_a_moment()
                while self._callbacks.at_work:
                    await asyncio.wait(self._callbacks.at_work)
        except TimeoutError:
            if self._callbacks.at_work:
                log.warning(
                    "callbacks were still at work when the worker left", extra={"count": len(self._callbacks.at_work)}
                )
        if self._tasks:
            log.warning("tasks were not answered when the worker left", extra={"count": len(self._tasks)})
        if (stopped := self._callbacks.emit("worker_stop", self._id)) is not None:
            await stopped
        self._outbox.flush()
        self._clients.close_all()
        try:
            async with asyncio.timeout(self.settings.max_wait_time or None):
                while self._clients:  # noqa: ASYNC110  until the last answers are with their clients
                    await asyncio.sleep(0.005)
        except TimeoutError:
            log.warning("clients did not take all that was sent", extra={"count": len(self._clients)})

    async def _wait_a_moment(self) -> None:
        try:
            async with asyncio.timeout(0.02):
                await self._last_answer_came.wait()
        except TimeoutError:
            return

    # ── what other processes say ────────────────────────────────────────────────────────────────

    def _read_inbox(self) -> None:
        for _ in range(_PACKETS_A_TURN):
            packet = self._channel.receive(self._id)
            if packet is None:
                break
            for message in unpack(packet):
                try:
                    self._obey(message)
                except Exception:
                    log.exception("message could not be handled", extra={"kind": message.kind, "id": message.id})
        self._tasks.send_waiting()

    def _obey(self, message: Message) -> None:
        kind = message.kind
        if kind <= Kind.LOST:
            self._tasks.answered(message)
        elif kind == Kind.RETURNED:
            self._tasks.returned(message)
        elif kind == Kind.PIPE:
            self._callbacks.emit("pipe_message", message.source, self._bodies.take(message))
        elif kind == Kind.LEAVE:
            self._last_answer_came.set()
        elif connection := self._clients.get(message.id):
            if kind == Kind.CLOSE:
                connection.close()
            else:
                data = self._bodies.take(message)
                self._callbacks.guard("send", lambda: connection.send(data))
        else:
            self._bodies.drop(message)

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        self._outbox.post(to, self._bodies.pack(kind, number, data))

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    @property
    def connections(self) -> list[int]:
        return self._clients.numbers

    def send(self, fd: int, data: bytes) -> bool:
        return self._clients.send(fd, data)

    def close(self, fd: int) -> bool:
        return self._clients.close(fd)

    def exists(self, fd: int) -> bool:
        return self._clients.get(fd) is not None

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        return self._clients.info(fd)

    def task(self, data: Any, target: int, callback: Callable[..., Any] | None) -> int:
        return self._tasks.submit(data, target, callback)

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        return await self._tasks.wait(data, timeout_s, target)

    def finish(self, data: Any) -> None:
        raise UsageError("finish() belongs into a task handler, and this is an event worker")

    def send_message(self, message: Any, worker_id: int) -> None:
        self._post(worker_id, Kind.PIPE, 0, message)
