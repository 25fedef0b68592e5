"""A task worker: takes tasks one by one, runs them, sends the answers. Blocks on purpose."""

import logging
import os
import signal
from typing import Any

from engine.errors import UsageError
from engine.events import Events
from engine.ipc.bodies import Bodies
from engine.ipc.channel import inbox_of, place_of
from engine.ipc.hand import LEAD_BYTES, Hand, Held
from engine.ipc.message import Kind, packets
from engine.ipc.shared import Shared
from engine.process.child import START_FAILED, Readiness
from engine.process.signals import Mailbox, listening
from engine.settings import Settings
from engine.stats import Cell, State, resident_bytes
from engine.task_worker.answers import Answers
from engine.task_worker.share import Share
from engine.task_worker.work import Work

log = logging.getLogger(__name__)


class TaskWorker:
    """One process. The methods below `run` are what callbacks reach through `Server`."""

    def __init__(
        self,
        server: Any,
        place: int,
        settings: Settings,
        events: Events,
        shared: Shared,
    ) -> None:
        self.settings = settings
        self._server = server
        self._place = place
        self._board = board = shared.board
        self._id = board.worker_id(place)
        self._number = self._id - board.worker_num
        self._inbox = inbox_of(board, self._id)
        self._events = events
        self._channel = shared.channel
        self._way = shared.way
        self._spill = shared.spill
        self._bodies = Bodies(shared.spill, place)
        self._hands = shared.hands
        self._answers = Answers(shared.channel, self._bodies, board, place)
        is_limited = settings.task_max_request or settings.task_max_memory
        self._share = Share(settings) if is_limited else None
        self._work = Work(
            server,
            place,
            settings.task_max_attempts,
            events,
            board,
            shared.way,
            self._bodies,
            self._answers,
            self._share,
            self._is_to_leave,
        )
        self._mailbox: Mailbox
        self._told_to_stop = False

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Work until told to stop, or until enough is done; the exit code. The task in hand is finished first."""
        with listening([signal.SIGTERM]) as self._mailbox:
            self._clean_up_after_the_dead(self._place)
            self._board.put(self._place, Cell.PID, os.getpid())
            self._board.put(self._place, Cell.STATE, State.AWAY)
            self._mailbox.watch(self._channel.readable(self._inbox))
            try:
                self._call("worker_start")
            except Exception:
                log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
                return START_FAILED
            readiness.announce()
            hand = self._hands[self._place]
            self._work.off(hand, hand.leftover())
            self._adopt()
            while not self._is_to_leave():
                self._work.off(hand, hand.take(self._take) or self._wait(hand))
                if self._work.adopt_is_due:
                    self._adopt()
            self._tell_why()
            self._board.put(self._place, Cell.STATE, State.AWAY)
            try:
                self._call("worker_stop")
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

    def _is_to_leave(self) -> bool:
        return self.stopping or self._has_done_its_share()

    def _has_done_its_share(self) -> bool:
        return self._share is not None and self._share.is_done(self._work.tasks)

    def _tell_why(self) -> None:
        """Nobody asked, so say it."""
        if not self._told_to_stop:
            facts = {"slot": self._id, "pid": os.getpid(), "tasks": self._work.tasks}
            log.info("task worker has done its share", extra={**facts, "rss": resident_bytes(os.getpid())})

    def _adopt(self) -> None:
        """Do what the process in the other place had in hand, if that is gone."""
        self._work.adopt_is_due = False
        other = self._board.other(self._place)
        if not self._board.get(other, Cell.PID) and not self._is_to_leave():
            self._clean_up_after_the_dead(other)
            self._work.off(self._hands[other], self._hands[other].leftover())

    def _wait(self, hand: Hand) -> list[Held]:
        """What comes next, once there is something; nothing when told to stop."""
        self._board.put(self._place, Cell.CALLED_NS, 0)
        self._board.put(self._place, Cell.STATE, State.IDLE)  # and then look again, for what came before others saw it
        return hand.take(self._receive_into)

    def _clean_up_after_the_dead(self, place: int) -> None:
        """Remove the files that an earlier process in this place had no time to remove."""
        for message in self._hands[place].answered_before():
            self._bodies.drop(message)
        if pid := self._board.get(place, Cell.LAST_PID):
            self._spill.discard(pid, self._board.get(place, Cell.FILES_SENT))
        # in this order: a death in between must not make files of the dead, which others were told of, look untold
        self._board.put(place, Cell.LAST_PID, os.getpid() if place == self._place else 0)
        self._board.put(place, Cell.FILES_SENT, 0)

    def _receive_into(self, room: memoryview) -> int:
        """The next packet's size; 0 when it is time to leave before one came."""
        while not (size := self._take(room)):
            look_in_s = self._share.look_in_s(self._work.tasks) if self._share else None
            if self._is_told_to_stop(self._mailbox.wait(look_in_s)) or self._has_done_its_share():
                return 0
        return size

    def _take(self, room: memoryview) -> int:
        """What others say comes first, then tasks. With a socket for both, they come together."""
        inbox = self._channel.receive_into(self._inbox, room[LEAD_BYTES:])
        return inbox or self._way.take(self._number, room)

    def _call(self, event: str) -> None:
        if callback := self._events.get(event):
            callback(self._server, self._id)

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    def send_message(self, message: Any, worker_id: int) -> None:
        self._post(inbox_of(self._board, worker_id), Kind.PIPE, 0, message)

    def send(self, fd: int, data: bytes) -> bool:
        if fd not in self._board.connections:
            return False
        self._post(place_of(self._board, fd), Kind.SEND, fd, data)
        return True

    def close(self, fd: int) -> bool:
        if fd not in self._board.connections:
            return False
        self._post(place_of(self._board, fd), Kind.CLOSE, fd, b"")
        return True

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        for packet in packets([self._bodies.frame(kind, number, data)]):
            self._answers.push(to, packet)

    @property
    def attempt(self) -> int:
        return self._work.attempt

    def finish(self, data: Any) -> None:
        self._work.finish(data)

    def task(self, data: Any, target: int, callback: object) -> int:
        raise UsageError("task() cannot be called in a task worker; send_message() an event worker that calls it")

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        raise UsageError("task_wait() cannot be called in a task worker; send_message() an event worker that does")

    @property
    def connections(self) -> list[int]:
        raise UsageError("only event workers have connections")

    def exists(self, fd: int) -> bool:
        return fd in self._board.connections

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        return self._board.connections.info(fd)
