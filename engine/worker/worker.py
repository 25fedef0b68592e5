"""An event worker: clients on one side, task workers on the other, one loop that never blocks."""

import asyncio
import os
import signal
import socket
import ssl
from typing import Any

import uvloop

from engine.callbacks import Callbacks
from engine.errors import UsageError
from engine.events import Events, TaskEnd
from engine.ipc.board import Cell
from engine.ipc.bodies import Bodies
from engine.ipc.channel import inbox_of
from engine.ipc.file_notes import begin_files, discard_untold
from engine.ipc.message import SPILLED, Kind, Message
from engine.ipc.resources import IpcResources
from engine.log_lines import get_logger
from engine.process.busy_poll import BusyPoll
from engine.process.child import START_FAILED, Readiness
from engine.process.limits import have_a_core_each
from engine.process.signals import listen_in_loop
from engine.settings import Settings
from engine.timers import LoopTimers
from engine.worker.accepting import Accepting, accept
from engine.worker.clients import Clients
from engine.worker.inbox import MOST_PACKETS, Inbox
from engine.worker.inbox_processor import InboxProcessor
from engine.worker.loop_watch import watched
from engine.worker.outbox import Outbox
from engine.worker.pulse import Pulse
from engine.worker.tasks import Tasks

log = get_logger(__name__)

_QUIET_S = 0.25
"""An event worker that leaves disconnects a client that sent nothing for so long, once no task is unanswered."""
_CLOSE_ALL_IDLE, _CLOSE_ALL = 4 / 6, 5 / 6
"""After which part of max_wait_time a worker that a reload replaces disconnects every client without a request in hand,
and after which all. The rest is for `worker_stop` and the last answers, before it is killed."""


class EventWorker:
    """One process. The methods below `run` are what callbacks reach through `Server`."""

    stopping = False
    attempt = 1

    def __init__(
        self,
        server: Any,
        place: int,
        settings: Settings,
        events: Events,
        resources: IpcResources,
        listener: socket.socket,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self._place = place
        self._board = board = resources.board
        self._id = board.worker_id(place)
        self._channel = resources.channel
        self._transport = resources.transport
        self._task_ids = resources.task_ids
        self._states = resources.event_worker_states
        self._state = resources.event_worker_states[place]
        self._other_place = board.other(place)
        self._other_state = resources.event_worker_states[self._other_place]
        self._listener = listener
        self._tls = tls
        self._callbacks = Callbacks(server, events)
        self.timers = LoopTimers(lambda call: self._callbacks.guard("timer", call))
        self._spill = resources.spill
        self._bodies = Bodies(resources.spill, place)
        self._inbox: Inbox
        self._clients = Clients(place, settings, board, self._callbacks, self._post)
        self._loop: asyncio.AbstractEventLoop
        self._outbox: Outbox
        self._tasks: Tasks
        self._reads_inbox = False
        """Whether answers are read; only after `worker_start`, for `finish` may need what that prepares."""
        self._busy_poll = BusyPoll(have_a_core_each(settings.worker_num + settings.task_worker_num))
        self._is_polling = False
        self._told_to_stop: asyncio.Event

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Serve until told to stop; return the exit code."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._live(readiness))

    async def _live(self, readiness: Readiness) -> int:
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(self._loop, self._channel, self._board, self._bodies)
        self._tasks = Tasks(
            self._place,
            self._board,
            self._callbacks,
            self._bodies,
            self._state.backlog,
            self._transport,
            self._task_ids,
            self.settings.task_queue_max_bytes,
        )
        processor = InboxProcessor(self._bodies, self.settings.task_max_attempts, self._tasks.answered, self._handle)
        self._inbox = Inbox(self._board, self._channel, self._place, self._state.inbox_packet, processor)
        self._tasks.dispatcher.pause_clients = self._clients.pause
        self._tasks.dispatcher.resume_clients = self._clients.resume
        self._told_to_stop = asyncio.Event()
        listen_in_loop(self._loop, signal.SIGTERM, self._told_to_stop.set)
        with self._board.seats_locked(self._place):
            self._board.put(self._place, Cell.PID, os.getpid())  # from here on nobody else takes what is kept here
            self._board.put(self._place, Cell.TO_ADOPT, 0)
            self._close_row(self._place)
            self._tasks.load()
            begin_files(self._board, self._spill, self._place)
        try:
            if (starting := self._callbacks.call("worker_start", self._id)) is not None:
                await starting
        except Exception:
            log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
            return START_FAILED
        self._take_over()
        self._loop.add_reader(self._inbox.descriptor, self._read_inbox)
        self._reads_inbox = True
        Pulse(self._place, self._board, self._state.backlog).begin(self._loop)
        accepting = await accept(self._listener, self._clients, self.settings.backlog, self._tls)
        readiness.announce()
        with watched(self._loop):
            await self._told_to_stop.wait()
            await self._leave(accepting)
        return 0

    def _close_row(self, place: int) -> None:
        """Clean up after a process that is gone: its connections, and the files that nobody was told of."""
        board = self._board
        if board.get(place, Cell.CLOSED) != board.get(place, Cell.ACCEPTED):
            board.put(place, Cell.CLOSED, board.get(place, Cell.ACCEPTED))
            board.connections.forget(place)
        kept = self._states[place].backlog.load() if board.get(place, Cell.FILES_OF) else []
        discard_untold(board, self._spill, place, {each.body.decode() for each in kept if each.codec & SPILLED})

    def _take_over(self) -> None:
        """Go on with what an earlier process in this place left."""
        self._inbox.process_leftover()
        self._tasks.take_over()
        self._adopt()

    def _adopt(self) -> None:
        """Take what the process in the other place, which is gone, left, and what is still sent to it."""
        other = self._other_place
        with self._board.seats_locked(self._place):
            if self._board.get(other, Cell.PID):
                return  # another one sits there already, and does it
            self._close_row(other)
            self._board.put(other, Cell.QUEUE_BYTES, 0)
            self._board.put(other, Cell.WAITING, 0)
            self._inbox.adopt_leftover(self._other_state.inbox_packet)
            self._board.put(other, Cell.TO_ADOPT, 0)
        self._tasks.adopt(self._other_state.backlog)
        self._loop.add_reader(self._channel.readable(other), self._read_other_inbox)

    async def _leave(self, accepting: Accepting) -> None:
        """Accept no more, wait for what is under way, disconnect all clients."""
        self.stopping = True
        accepting.close()
        self._callbacks.emit("worker_exit", self._id)
        limit_s, began = self.settings.max_wait_time, self._loop.time()
        try:
            async with asyncio.timeout(limit_s * (1 if self._board.is_stopping else _CLOSE_ALL) or None):
                await _catch_up()
                while not (self._board.is_stopping or self._is_idle(accepting)):
                    if not self._tasks.unanswered:  # or some client waits for what comes of one
                        in_hurry = limit_s and self._loop.time() - began > limit_s * _CLOSE_ALL_IDLE
                        self._clients.close_idle(0 if in_hurry else _QUIET_S)
                    await self._wait_a_moment()
                    await _catch_up()
                self._clients.stop_reading()
                self._tasks.dispatcher.is_stopped = self._board.is_stopping
                # task workers that finish what they have in hand may still send much to any event worker
                while self._board.is_stopping and not self._board.answers_are_over:
                    await self._wait_a_moment()
                self._inbox.read_to_the_end()
                while self._callbacks.at_work:
                    await asyncio.wait(self._callbacks.at_work)
        except TimeoutError:
            if self._callbacks.at_work:
                facts = {"slot": self._id, "count": len(self._callbacks.at_work)}
                log.warning("callbacks were still at work when the worker left", extra=facts)
        self.timers.clear_all()
        self._clients.stop_reading()
        self._tell_of_tasks()
        if (stopped := self._callbacks.emit("worker_stop", self._id)) is not None:
            await stopped
        self._outbox.flush()
        self._clients.close_all()
        try:
            async with asyncio.timeout(self.settings.max_wait_time or None):
                # until the last answers are with their clients, and the last messages with who is there to read them
                while self._clients or self._outbox.waits_for_readers():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            if self._clients:
                facts = {"slot": self._id, "count": len(self._clients)}
                log.warning("clients did not take all that was sent", extra=facts)
        if unread := self._outbox.waiting_for():
            log.warning("messages to other workers were not delivered", extra={"slot": self._id, "inboxes": unread})

    def _is_idle(self, accepting: Accepting) -> bool:
        """Whether nobody needs this process any more."""
        return not (accepting.handshakes or self._clients or self._tasks.unanswered or self._callbacks.at_work)

    def _tell_of_tasks(self) -> None:
        """Log what becomes of tasks that are not answered."""
        waiting, under_way = self._tasks.waiting, self._tasks.under_way
        if self._board.is_stopping and self.settings.message_queue_key is None:
            if waiting + under_way:
                facts = {"slot": self._id, "count": waiting + under_way}
                log.warning("tasks were not answered when the worker left", extra=facts)
        elif waiting + under_way:
            facts = {"slot": self._id, "waiting": waiting, "under_way": under_way}
            log.info("unanswered tasks are left to the next worker", extra=facts)

    async def _wait_a_moment(self) -> None:
        await asyncio.sleep(0.02)

    # ── what other processes send ────────────────────────────────────────────────────────────────

    def _read_inbox(self) -> None:
        self._inbox.read(1 if self._busy_poll.is_on else MOST_PACKETS)  # task workers are given the next ones meanwhile
        if self._board.get(self._other_place, Cell.TO_ADOPT):
            self._adopt()
        self._tasks.dispatcher.again()
        if self._tasks.unanswered:
            self._busy_poll.begin()
            if self._busy_poll.is_on and not self._is_polling:
                self._is_polling = True
                self._loop.call_soon(self._poll_on)
        else:
            self._busy_poll.end()

    def _poll_on(self) -> None:
        """Keep the loop from sleeping while answers may be near: it looks at the inbox, and at clients, each turn."""
        self._is_polling = self._busy_poll.goes_on()
        if self._is_polling:
            self._loop.call_soon(self._poll_on)

    def _read_other_inbox(self) -> None:
        if self._inbox.read_other(self._other_place):
            self._tasks.dispatcher.again()
        else:
            self._loop.remove_reader(self._channel.readable(self._other_place))

    def _handle(self, message: Message, is_foreign: bool) -> None:
        """Handle a message that is no answer to a task."""
        kind = message.kind
        if kind == Kind.BODY_MISSING:
            self._tasks.body_missing(message)
        elif kind == Kind.PIPE:
            self._callbacks.emit("pipe_message", self._board.worker_id(message.source), self._bodies.read(message))
        elif connection := self._clients.get(message.id):
            if kind == Kind.CLOSE:
                connection.close()
            else:
                data = self._bodies.read(message)
                self._callbacks.guard("send", lambda: connection.send(data))

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        self._outbox.tell(to, kind, number, data)

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    @property
    def connections(self) -> list[int]:
        return self._clients.numbers

    def send(self, fd: int, data: bytes) -> bool:
        return self._clients.send(fd, data)

    def close(self, fd: int) -> bool:
        return self._clients.close(fd)

    def exists(self, fd: int) -> bool:
        return fd in self._board.connections

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        return self._board.connections.info(fd)

    def task(self, data: Any, target: int, end: TaskEnd) -> int:
        return self._tasks.submit(data, target, end)

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        if not self._reads_inbox:
            raise UsageError(
                "task_wait() cannot be awaited in worker_start, no answer is read before its end; use task()"
            )
        return await self._tasks.wait(data, timeout_s, target)

    def finish(self, data: Any) -> None:
        raise UsageError("finish() belongs into a task handler, and this is an event worker")

    def send_message(self, message: Any, worker_id: int) -> None:
        self._post(inbox_of(self._board, worker_id), Kind.PIPE, 0, message)


async def _catch_up() -> None:
    """Let the loop do what is there already: it may have accepted a client whom nobody told of it yet, and what clients
    sent while this process did not get to run is still in the kernel, for timers come first."""
    for _ in range(3):
        await asyncio.sleep(0)
