"""Runs tasks as coroutines: up to task_max_concurrency at once, each in a slot of its own, on one event loop."""

import asyncio
import signal
import time
from collections import deque
from typing import Any

import uvloop

from engine.events import Events
from engine.ipc.board import Cell, State
from engine.ipc.in_flight import InFlight, InFlightTask
from engine.ipc.message import Kind
from engine.ipc.resources import IpcResources
from engine.log_lines import get_logger
from engine.process.child import START_FAILED, Readiness
from engine.process.signals import listen_in_loop
from engine.settings import Settings
from engine.task_worker.answers import Answers
from engine.task_worker.async_runner import AsyncRunner, current
from engine.task_worker.base_runner import no_task
from engine.task_worker.base_task_worker import BaseTaskWorker
from engine.timers import LoopTimers

log = get_logger(__name__)


class CoroutineWorker(BaseTaskWorker):
    """One process. A packet goes from an empty slot through `_waiting` to a runner; the slot is empty again after it.

    There is one slot more than tasks at once, to receive messages while all are busy. A task that is for us alone waits
    in that slot; the others stay where they are, for whoever has credit.
    """

    def __init__(self, server: Any, place: int, settings: Settings, events: Events, resources: IpcResources) -> None:
        super().__init__(server, place, settings, events, resources)
        self._most = resources.board.concurrency
        self._empty: list[InFlight] = []
        self._waiting: deque[tuple[InFlight, list[InFlightTask]]] = deque()
        """Whether slots of the other seat may be full, of a process that is gone."""
        self._at_work: dict[asyncio.Task[bool], InFlight] = {}
        self._running: dict[asyncio.Task[bool], tuple[int, int]] = {}
        """Those of them that do a task: its id, and since when (monotonic ns)."""
        self._alone: asyncio.Task[bool] | None = None
        """One that does the last attempt at a task; nothing else is begun meanwhile."""
        self._tasks = 0
        self._taken_bytes = 0
        self._watched: set[int] = set()
        self._next_look: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Future[None]
        self.timers = LoopTimers(lambda call: self._callbacks.guard("timer", call))

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def run(self, readiness: Readiness) -> int:
        """Work until told to stop, or to be recycled; return the exit code. Tasks that were begun are finished first.

        What ends a process, such as SystemExit in a handler, gets past here with all tasks in hand: no coroutine is
        cancelled, for that would look like its own failure.
        """
        self._loop = uvloop.new_event_loop()
        try:
            return self._loop.run_until_complete(self._live(readiness))
        finally:
            self._loop.close()

    async def _live(self, readiness: Readiness) -> int:
        self._end = self._loop.create_future()
        listen_in_loop(self._loop, signal.SIGTERM, self._look, self._note_stop)  # a handler that blocks may ask
        self._take_seat()
        try:
            if (starting := self._callbacks.call("worker_start", self._id)) is not None:
                await starting
        except Exception:
            log.exception("worker_start raised, the worker cannot begin", extra={"slot": self._id})
            return START_FAILED
        readiness.announce()
        for in_flight in self._in_flight_slots[self._place]:
            if entries := in_flight.leftover():
                self._waiting.append((in_flight, entries))
            else:
                in_flight.clear()
                self._empty.append(in_flight)
        self._waiting = deque(sorted(self._waiting, key=lambda each: each[1][0].message.id))
        self._look()
        await self._end
        self._tell_why()
        if (stopped := self._callbacks.emit("worker_stop", self._id)) is not None:
            await stopped
        return 0

    @property
    def tasks(self) -> int:
        return self._tasks

    @property
    def stopping(self) -> bool:
        """Whether this process was told to stop; a long task may ask, and end early."""
        return self._told_to_stop

    def _note_stop(self) -> None:
        self._told_to_stop = True

    def _is_to_leave(self) -> bool:
        return self._told_to_stop or self._is_to_be_recycled()

    def _look(self) -> None:
        """Go on after anything happened. An error here would end in the loop's log, and the process would hang, so it
        ends the process."""
        try:
            self._go_on()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """End the process by this error."""
        if not self._end.done():
            self._end.set_exception(error)

    def _go_on(self) -> None:
        """Begin what can begin, and take more while there is a slot for it."""
        self._begin()
        self._tell()  # before we look for more: whoever comes after that look finds it told, and wakes us
        took = False
        while self._empty and not self._is_to_leave() and self._take_one(self._empty[-1]):
            took = True
            self._begin()
            self._tell()
        if (took and not self._credit()) or self._is_to_leave():
            self._transport.wake_other(self._number)
        self._watch(self._channel.readable(self._inbox), bool(self._empty) and not self._is_to_leave())
        if (descriptor := self._transport.readable(self._number)) is not None:
            self._watch(descriptor, self._credit() > 0)
        if self._is_to_leave() and not self._at_work and not self._end.done():
            self._end.set_result(None)

    def _watch(self, descriptor: int, is_wanted: bool) -> None:
        """Watch a descriptor, or no more: what nobody takes would wake us for ever."""
        if is_wanted and descriptor not in self._watched:
            self._watched.add(descriptor)
            self._loop.add_reader(descriptor, self._look)
        elif not is_wanted and descriptor in self._watched:
            self._watched.remove(descriptor)
            self._loop.remove_reader(descriptor)

    # ── in ──────────────────────────────────────────────────────────────────────────────────────

    def _credit(self) -> int:
        """Return how many more tasks may begin now."""
        if self._is_to_leave() or self._alone or self._waiting:
            return 0
        credit = min(self._most - len(self._running), len(self._empty))
        left = self._recycle_policy.left(self._tasks + len(self._running)) if self._recycle_policy else None
        return max(0, credit if left is None else min(credit, left))

    def _take_one(self, in_flight: InFlight) -> bool:
        """Take a packet into an empty slot; False when there is none."""
        if self._has_to_adopt and self._credit() and self._adopt_one(in_flight):
            return True
        entries = in_flight.take(self._take)
        if not self._taken_bytes:
            return False
        if entries:
            self._empty.remove(in_flight)
            self._waiting.append((in_flight, entries))
        else:
            in_flight.clear()
        return True

    def _take(self, room: memoryview) -> int:
        """Take a packet; tasks only as long as there is credit: others might take them."""
        self._taken_bytes = super()._take(room) if self._credit() else self._take_message(room)
        return self._taken_bytes

    def _adopt_one(self, in_flight: InFlight) -> bool:
        """Move what a slot of the other seat holds, the oldest first, into an empty one of ours; False when there is
        nothing more, or when another process sits there by now, and does it itself."""
        other = self._board.other(self._place)
        with self._board.seats_locked(self._place):
            left = []
            if not self._board.get(other, Cell.PID):
                self._clean_up_after_the_dead(other)
                left = [each for each in self._in_flight_slots[other] if each.leftover()]
            if len(left) < 2:
                self._board.put(other, Cell.TO_ADOPT, 0)
            if not left:
                return False
            min(left, key=lambda each: each.leftover()[0].message.id).move(in_flight)
        self._empty.remove(in_flight)
        self._waiting.append((in_flight, in_flight.leftover()))
        return True

    # ── at work ─────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        """Begin what waits in our slots, in order, as far as it may."""
        while self._waiting and not self._is_to_leave():
            in_flight, entries = self._waiting[0]
            task_ids = [each.message.id for each in entries if each.message.kind == Kind.TASK]
            is_last = any(0 < each.deaths == self.settings.task_max_attempts - 1 for each in entries)
            if task_ids and not self._may_begin(is_last):
                return
            self._waiting.popleft()
            work = self._loop.create_task(self._runner(in_flight).run(entries))
            self._at_work[work] = in_flight
            if task_ids:
                self._running[work] = task_ids[0], time.monotonic_ns()
                self._alone = work if is_last else None
            work.add_done_callback(self._ended)

    def _may_begin(self, is_last: bool) -> bool:
        """Return whether a task may begin. One at its last attempt runs alone in its process, so that its death takes
        no other task along."""
        if self._alone or (is_last and self._running):
            return False
        left = self._recycle_policy.left(self._tasks + len(self._running)) if self._recycle_policy else None
        return len(self._running) < self._most and left != 0

    def _runner(self, in_flight: InFlight) -> AsyncRunner:
        answers = Answers(self._channel, self._bodies, self._board, self._place)
        return AsyncRunner(self._surroundings, answers, in_flight, self._is_to_leave)

    def _ended(self, work: asyncio.Task[bool]) -> None:
        """Handle the end of a runner; what it raised ends the process, as it does where tasks run one by one."""
        in_flight = self._at_work.pop(work)
        if work.cancelled():
            self._fail(asyncio.CancelledError())
        elif error := work.exception():
            self._fail(error)
        else:
            self._tasks += self._running.pop(work, None) is not None
            self._alone = None if self._alone is work else self._alone
            if work.result():
                self._empty.append(in_flight)
            self._look()
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        if self._next_look:
            self._next_look.cancel()
        in_s = self._recycle_policy.look_in_s(self._tasks) if self._recycle_policy else None
        self._next_look = None if in_s is None else self._loop.call_later(in_s, self._look_again)

    def _look_again(self) -> None:
        """Look, and set the timer again: the loop's clock has whole milliseconds, so this one may have been early."""
        self._look()
        self._look_at_memory()

    def _tell(self) -> None:
        """Write to the board what runs here, and how many more tasks could begin."""
        cells, row = self._board.cells, self._board.row(self._place)
        cells[row + Cell.CREDIT] = self._credit()
        cells[row + Cell.RUNNING] = len(self._running)
        if self._running:
            cells[row + Cell.TASK_ID], cells[row + Cell.SINCE_NS] = next(iter(self._running.values()))
            cells[row + Cell.STATE] = State.BUSY
        else:
            cells[row + Cell.STATE] = State.AWAY if self._is_to_leave() else State.IDLE

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    @property
    def attempt(self) -> int:
        runner = current()
        return runner.attempt if runner else 1

    def finish(self, data: Any) -> None:
        """Answer the task whose handler calls, or started what calls."""
        if (runner := current()) is None:
            raise no_task()
        runner.finish(data)
