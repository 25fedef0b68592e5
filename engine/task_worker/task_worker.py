"""A task worker: takes tasks one by one, runs them, sends the answers. Blocks on purpose."""

import logging
import os
import select
import signal
import time
from typing import Any

from engine.errors import UsageError
from engine.events import Events
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel
from engine.ipc.hand import Hand, Held
from engine.ipc.message import (
    SPILLED,
    STAY,
    Kind,
    Message,
    failure,
    packets,
    to_bytes,
)
from engine.ipc.spill import SpillDirectory
from engine.process.child import START_FAILED, Readiness
from engine.process.signals import Mailbox, listening
from engine.settings import Settings
from engine.stats import Board, Cell, State
from engine.task_worker.handback import HandBack

log = logging.getLogger(__name__)

_ANSWER_WITHIN_NS = 500_000
"""Answers of quick tasks travel together, but none waits longer than this before the next task begins."""
_NOBODY_READS_S = 1.0


class TaskWorker:
    """One process. The methods below `run` are what callbacks reach through `Server`."""

    def __init__(
        self,
        server: Any,
        worker_id: int,
        settings: Settings,
        events: Events,
        board: Board,
        channel: Channel,
        spill: SpillDirectory,
        hand: Hand,
    ) -> None:
        self.settings = settings
        self.attempt = 1
        self._server = server
        self._id = worker_id
        self._events = events
        self._board = board
        self._channel = channel
        self._spill = spill
        self._bodies = Bodies(spill, worker_id)
        self._hand = hand
        self._current: Message | None = None
        self._is_answered = False
        self._answers: dict[int, list[bytes]] = {}
        self._dealt_with: list[Message] = []
        self._held: list[Held] = []
        self._given_back: set[int] = set()
        self._hand_back = HandBack(self._give_back_behind)
        self._mailbox: Mailbox
        self._told_to_stop = False

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Work until told to stop; the exit code. The task in hand is finished first."""
        with listening([signal.SIGTERM]) as self._mailbox:
            self._clean_up_after_the_dead()
            self._board.put(self._id, Cell.PID, os.getpid())
            self._board.put(self._id, Cell.STATE, State.AWAY)
            self._mailbox.watch(self._channel.readable(self._id))
            try:
                self._call("worker_start", self._id)
            except Exception:
                log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
                return START_FAILED
            readiness.announce()
            self._work_off(self._hand.leftover())
            while not self.stopping:
                self._board.put(self._id, Cell.STATE, State.IDLE)
                self._work_off(self._hand.take(self._receive_into))
            self._board.put(self._id, Cell.STATE, State.AWAY)
            try:
                self._call("worker_stop", self._id)
            except Exception:
                log.exception("callback raised", extra={"event": "worker_stop"})
        return 0

    @property
    def stopping(self) -> bool:
        """Whether this process was told to stop; a long task may ask, and end early."""
        return self._is_told_to_stop(self._mailbox.read())

    def _is_told_to_stop(self, signals: list[int]) -> bool:
        """A program's own signals, such as an alarm for its time limit, come by here, too."""
        self._told_to_stop = self._told_to_stop or signal.SIGTERM in signals
        return self._told_to_stop

    def _clean_up_after_the_dead(self) -> None:
        """Remove the files that a former process of this worker id had no time to remove."""
        for message in self._hand.answered_before():
            self._bodies.drop(message)
        self._spill.discard(self._board.get(self._id, Cell.PID), self._board.get(self._id, Cell.FILES_SENT))
        self._board.put(self._id, Cell.FILES_SENT, 0)

    def _receive_into(self, buffer: memoryview) -> int:
        """The next packet's size; 0 when told to stop before one came."""
        while not (size := self._channel.receive_into(self._id, buffer)):
            if self._is_told_to_stop(self._mailbox.wait(None)):
                return 0
        return size

    # ── work ────────────────────────────────────────────────────────────────────────────────────

    def _work_off(self, held: list[Held]) -> None:
        """Do what is in hand, in order. Told to stop, leave the rest there for the process that follows."""
        self._held = held
        if len(held) > 1:
            self._hand_back.watch()
        sent_at_ns = time.monotonic_ns()
        for place, message, begun, deaths in held:
            with self._hand_back.lock:
                if place in self._given_back:
                    continue
                if deaths:
                    self._send_answers(place)  # it may kill again, and would take them along
                self._hand_back.begin(place)
            if deaths >= self.settings.task_max_attempts:
                self._give_up(message, deaths)
            else:
                self._hand.begin(place)
                self._do(message, begun + 1)
                self._hand.end(place)
            now_ns = time.monotonic_ns()
            if now_ns - sent_at_ns > _ANSWER_WITHIN_NS:
                with self._hand_back.lock:
                    self._send_answers(place + 1)
                sent_at_ns = now_ns
                if self.stopping:
                    self._hand_back.rest()
                    return
        with self._hand_back.lock:
            if held:
                self._send_answers(held[-1].place + 1)
            self._hand_back.rest()
            self._given_back.clear()
            self._hand.clear()

    def _give_back_behind(self, place: int) -> None:
        """The message at `place` takes long: send what is answered, and give back what may be done elsewhere."""
        self._send_answers(place)
        for each in self._held:
            message = each.message
            may_go = message.kind == Kind.TASK and not message.codec & STAY and not each.begun
            if each.place > place and may_go and each.place not in self._given_back:
                self._given_back.add(each.place)
                returned = to_bytes(message._replace(kind=Kind.RETURNED, source=self._id))
                for packet in packets([returned]):
                    self._push(message.source, packet)
                self._hand.give_back(each.place)

    def _give_up(self, message: Message, deaths: int) -> None:
        if message.kind == Kind.TASK:
            self._answer(message, Kind.LOST, deaths)
        else:
            log.error("pipe message given up, its callback killed each worker", extra={"attempts": deaths})
            self._put_aside(message)

    def _do(self, message: Message, attempt: int) -> None:
        """Handle one message; nothing that a handler raises gets past here."""
        if attempt > 1:
            self._board.add(self._id, Cell.REDELIVERED)
            log.warning("delivered again", extra={"task_id": message.id, "attempt": attempt})
        if message.kind == Kind.PIPE:
            self._board.put(self._id, Cell.STATE, State.AWAY)  # not idle, and not in a task
            try:
                self._call("pipe_message", message.source, self._bodies.read(message))
            except Exception:
                log.exception("callback raised", extra={"event": "pipe_message"})
            self._put_aside(message)
            return
        board, row = self._board, self._id
        began_ns = time.monotonic_ns()
        board.put(row, Cell.TASK_ID, message.id)
        board.put(row, Cell.SINCE_NS, began_ns)
        board.put(row, Cell.STATE, State.BUSY)
        self.attempt = attempt
        self._current, self._is_answered = message, False
        try:
            result = self._call("task", message.id, message.source, self._bodies.read(message))
            if result is not None:
                self.finish(result)
            if not self._is_answered:
                self._answer(message, Kind.DONE, b"")
            board.add(row, Cell.DONE)
        except Exception as error:
            log.exception("task handler raised", extra={"task_id": message.id})
            if not self._is_answered:
                self._answer(message, Kind.FAILED, failure(error))
        finally:
            self._current = None
        took_ns = time.monotonic_ns() - began_ns
        mean_ns = board.get(row, Cell.MEAN_NS)
        # one long task counts at once, quick ones win trust back over a few
        board.put(
            row,
            Cell.MEAN_NS,
            max(1, took_ns if not mean_ns or took_ns > mean_ns else (3 * mean_ns + took_ns) // 4),
        )

    def _call(self, event: str, *args: Any) -> Any:
        callback = self._events.get(event)
        return callback(self._server, *args) if callback else None

    # ── answers ─────────────────────────────────────────────────────────────────────────────────

    def finish(self, data: Any) -> None:
        if self._current is None:
            raise UsageError("finish() belongs into a task handler, and no task is in hand")
        if self._is_answered:
            raise UsageError(f"task {self._current.id} is finished already; return a value or call finish(), once")
        self._answer(self._current, Kind.FINISH, data)

    def _answer(self, task: Message, kind: Kind, data: Any) -> None:
        answer = to_bytes(self._bodies.pack(kind, task.id, data))
        self._is_answered = True
        with self._hand_back.lock:
            self._answers.setdefault(task.source, []).append(answer)
            self._put_aside(task)

    def _put_aside(self, message: Message) -> None:
        """Its file can go once the hand knows that it is dealt with; before, it would be missing after a death."""
        if message.codec & SPILLED:
            self._dealt_with.append(message)

    def _send_answers(self, answered: int) -> None:
        """Send what is ready and note how much of the packet that is; their files are not needed any more."""
        for to, messages in self._answers.items():
            for packet in packets(messages):
                self._push(to, packet)
        self._answers.clear()
        self._hand.answered(answered)
        for message in self._dealt_with:
            self._bodies.drop(message)
        self._dealt_with.clear()

    def _push(self, to: int, packet: bytes) -> None:
        """Send, waiting while the inbox is full: an event worker reads its inbox as long as it lives."""
        while not self._channel.send(to, packet):
            poll = select.poll()
            poll.register(self._channel.writable(to), select.POLLOUT)
            poll.poll(_NOBODY_READS_S * 1000)
        self._board.put(self._id, Cell.FILES_SENT, self._spill.made)

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    def send_message(self, message: Any, worker_id: int) -> None:
        self._post(worker_id, Kind.PIPE, 0, message)

    def send(self, fd: int, data: bytes) -> bool:
        self._post(self._owner(fd), Kind.SEND, fd, data)
        return True

    def close(self, fd: int) -> bool:
        self._post(self._owner(fd), Kind.CLOSE, fd, b"")
        return True

    def _owner(self, fd: int) -> int:
        return (fd - 1) % self._board.worker_num

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        for packet in packets([to_bytes(self._bodies.pack(kind, number, data))]):
            self._push(to, packet)

    def task(self, data: Any, target: int, callback: object) -> int:
        raise UsageError("task() cannot be called in a task worker; send_message() an event worker that calls it")

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        raise UsageError("task_wait() cannot be called in a task worker; send_message() an event worker that does")

    @property
    def connections(self) -> list[int]:
        raise UsageError("only event workers have connections")

    def exists(self, fd: int) -> bool:
        raise UsageError("exists() is answered in event workers only")

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        raise UsageError("get_client_info() is answered in event workers only")
