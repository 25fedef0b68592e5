"""A task worker: takes tasks one by one, runs them, sends the answers. Blocks on purpose."""

import logging
import os
import signal
from typing import Any

from engine.events import Events
from engine.ipc.hand import Hand, Held
from engine.ipc.shared import Shared
from engine.process.child import START_FAILED, Readiness
from engine.process.signals import Mailbox, listening
from engine.settings import Settings
from engine.stats import Cell, State
from engine.task_worker.handling import refuse_coroutine
from engine.task_worker.life import Life
from engine.task_worker.work import Work

log = logging.getLogger(__name__)


class TaskWorker(Life):
    """One process, one task at a time."""

    def __init__(self, server: Any, place: int, settings: Settings, events: Events, shared: Shared) -> None:
        super().__init__(server, place, settings, events, shared)
        self._work = Work(
            server,
            place,
            settings.task_max_attempts,
            events,
            shared.board,
            shared.way,
            self._bodies,
            self._answers,
            self._share,
            self._is_to_leave,
        )
        self._mailbox: Mailbox

    def run(self, readiness: Readiness) -> int:
        """Work until told to stop, or until enough is done; the exit code. The task in hand is finished first."""
        with listening([signal.SIGTERM]) as self._mailbox:
            self._clean_up_after_the_dead(self._place)
            self._board.put(self._place, Cell.PID, os.getpid())
            self._board.put(self._place, Cell.STATE, State.AWAY)
            self._mailbox.watch(self._channel.readable(self._inbox))
            if (descriptor := self._way.readable(self._number)) is not None:
                self._mailbox.watch(descriptor)
            try:
                refuse_coroutine("worker_start", self._call("worker_start"))
            except Exception:
                log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
                return START_FAILED
            readiness.announce()
            (hand,) = self._hands[self._place]
            self._work.off(hand, hand.leftover())
            self._adopt()
            while not self._is_to_leave():
                self._work.off(hand, hand.take(self._take) or self._wait(hand))
                if self._work.adopt_is_due:
                    self._adopt()
            self._tell_why()
            self._board.put(self._place, Cell.STATE, State.AWAY)
            self._way.pass_on(self._number)
            try:
                refuse_coroutine("worker_stop", self._call("worker_stop"))
            except Exception:
                log.exception("callback raised", extra={"event": "worker_stop"})
        return 0

    @property
    def tasks(self) -> int:
        return self._work.tasks

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

    def _adopt(self) -> None:
        """Do what the process in the other place had in hand, if that is gone."""
        self._work.adopt_is_due = False
        other = self._board.other(self._place)
        if not self._board.get(other, Cell.PID) and not self._is_to_leave():
            self._clean_up_after_the_dead(other)
            for hand in self._hands[other]:
                self._work.off(hand, hand.leftover())

    def _wait(self, hand: Hand) -> list[Held]:
        """What comes next, once there is something; nothing when it is time to leave."""
        self._board.put(self._place, Cell.CALLED_NS, 0)
        self._board.put(self._place, Cell.STATE, State.IDLE)  # and then look again, for what came before others saw it
        return hand.take(self._receive_into)

    def _receive_into(self, room: memoryview) -> int:
        """The next packet's size; 0 when it is time to leave before one came."""
        while not (size := self._take(room)):
            look_in_s = self._share.look_in_s(self.tasks) if self._share else None
            if self._is_told_to_stop(self._mailbox.wait(look_in_s)) or self._has_done_its_share():
                return 0
        return size

    @property
    def attempt(self) -> int:
        return self._work.attempt

    def finish(self, data: Any) -> None:
        self._work.finish(data)
