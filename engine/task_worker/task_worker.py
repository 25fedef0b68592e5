"""Takes tasks one by one, runs them and sends the results. Blocks on purpose."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from engine.events import Events
from engine.ipc.board import Cell, State
from engine.ipc.in_flight import InFlight, InFlightTask
from engine.ipc.resources import IpcResources
from engine.log_lines import get_logger
from engine.process.busy_poll import BusyPoll
from engine.process.child import START_FAILED, Readiness
from engine.process.limits import have_a_core_each
from engine.process.signals import Mailbox, listening
from engine.settings import Settings
from engine.task_worker.base_runner import refuse_coroutine
from engine.task_worker.base_task_worker import BaseTaskWorker
from engine.task_worker.sync_runner import SyncRunner
from engine.timers import Timers

log = get_logger(__name__)


class TaskWorker(BaseTaskWorker):
    """One process, one task at a time."""

    def __init__(self, server: Any, place: int, settings: Settings, events: Events, resources: IpcResources) -> None:
        super().__init__(server, place, settings, events, resources)
        self._runner = SyncRunner(
            self._surroundings, self._answers, self._transport, self._recycle_policy, self._is_to_leave_between
        )
        self.timers = Timers(self._call_timer)
        self._mailbox: Mailbox
        self._busy_poll = BusyPoll(have_a_core_each(settings.worker_num + settings.task_worker_num))

    def run(self, readiness: Readiness) -> int:
        """Work until told to stop, or to be recycled; return the exit code. The task in hand is finished first."""
        with listening([signal.SIGTERM]) as self._mailbox:
            self._take_seat()
            self._mailbox.watch(self._channel.readable(self._inbox))
            if (descriptor := self._transport.readable(self._number)) is not None:
                self._mailbox.watch(descriptor)
            try:
                refuse_coroutine("worker_start", self._callbacks.call("worker_start", self._id))
            except Exception:
                log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
                return START_FAILED
            readiness.announce()
            (in_flight,) = self._in_flight_slots[self._place]
            self._runner.run(in_flight, in_flight.leftover())
            self._adopt(in_flight)
            while not self._is_to_leave_between():
                self._runner.run(in_flight, in_flight.take(self._take) or self._wait(in_flight))
                if self._has_to_adopt:
                    self._adopt(in_flight)
            self._tell_why()
            self._board.put(self._place, Cell.STATE, State.AWAY)
            self._transport.wake_other(self._number)
            stop = partial(self._callbacks.call, "worker_stop", self._id)
            self._callbacks.guard("worker_stop", lambda: refuse_coroutine("worker_stop", stop()))
        return 0

    @property
    def tasks(self) -> int:
        return self._runner.tasks

    @property
    def stopping(self) -> bool:
        """Whether this process was told to stop; a long task may ask, and end early."""
        return self._is_told_to_stop(self._mailbox.read())

    def _is_told_to_stop(self, signals: list[int]) -> bool:
        """Note a SIGTERM among these signals; a program's own, such as an alarm, arrive here, too."""
        self._told_to_stop = self._told_to_stop or signal.SIGTERM in signals
        return self._told_to_stop

    def _is_to_leave(self) -> bool:
        return self.stopping or self._is_to_be_recycled()

    def _is_to_leave_between(self) -> bool:
        """Run due timers, between tasks; return whether to leave."""
        self._run_timers()
        return self._is_to_leave()

    def _run_timers(self) -> bool:
        """Run due timers; return whether there were any. No task is sent to us meanwhile, and others may take what
        waits for us."""
        if self.timers.next_in_s() != 0:
            return False
        self._board.put(self._place, Cell.STATE, State.AWAY)
        self._transport.wake_other(self._number)
        self.timers.run_due()
        return True

    def _call_timer(self, call: Callable[[], Any]) -> None:
        self._callbacks.guard("timer", lambda: refuse_coroutine("the callback of a timer", call()))

    def _adopt(self, in_flight: InFlight) -> None:
        """Do what the process in the other seat had in hand, if that is gone. It is moved into our own hand first: a
        process that is started in that seat meanwhile has its own to itself, and our death leaves what we adopted here.
        """
        if self._is_to_leave():
            return
        other = self._board.other(self._place)
        with self._board.seats_locked(self._place):
            if self._board.get(other, Cell.PID):
                return  # another process sits there by now, and does it itself
            self._clean_up_after_the_dead(other)
            (left,) = self._in_flight_slots[other]
            if left.leftover():
                left.move(in_flight)
            self._board.put(other, Cell.TO_ADOPT, 0)
        self._runner.run(in_flight, in_flight.leftover())

    def _wait(self, in_flight: InFlight) -> list[InFlightTask]:
        """Wait for the next packet and return what it holds; nothing when it is time to leave or to adopt."""
        self._board.put(self._place, Cell.CALLED_NS, 0)
        self._board.put(self._place, Cell.STATE, State.IDLE)  # and then look again, for what came before others saw it
        return in_flight.take(self._receive_into)

    def _receive_into(self, room: memoryview) -> int:
        """Wait for the next packet and return its size; 0 when it is time to leave, or to adopt, before one came."""
        self._busy_poll.begin()
        while not (size := self._take(room)):
            if self._busy_poll.goes_on():
                continue
            if self._has_to_adopt:
                return 0
            if self._is_told_to_stop(self._mailbox.wait(self._next_look_s())) or self._is_to_be_recycled():
                return 0
            if self._run_timers():
                self._board.put(self._place, Cell.STATE, State.IDLE)
        return size

    def _next_look_s(self) -> float | None:
        """Return when to wake up though nothing comes, seconds from now; None for never."""
        times = [self.timers.next_in_s(), self._recycle_policy.look_in_s(self.tasks) if self._recycle_policy else None]
        return min((each for each in times if each is not None), default=None)

    @property
    def attempt(self) -> int:
        return self._runner.attempt

    def finish(self, data: Any) -> None:
        self._runner.finish(data)
