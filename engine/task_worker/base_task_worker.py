"""What both kinds of task worker share: how they begin, adopt and leave, and what their callbacks reach."""

import os
from typing import Any

from engine.callbacks import Callbacks
from engine.errors import UsageError
from engine.events import Events
from engine.ipc.board import Cell, State
from engine.ipc.bodies import Bodies
from engine.ipc.channel import inbox_of
from engine.ipc.file_notes import begin_files, discard_untold
from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import Kind
from engine.ipc.remote_clients import RemoteClients
from engine.ipc.resources import IpcResources
from engine.log_lines import get_logger
from engine.settings import Settings
from engine.stats import resident_bytes
from engine.task_worker.answers import Answers
from engine.task_worker.base_runner import Surroundings
from engine.task_worker.recycle_policy import RecyclePolicy

log = get_logger(__name__)


class BaseTaskWorker(RemoteClients):
    """One process. The methods at the end are what callbacks reach through `Server`."""

    def __init__(self, server: Any, place: int, settings: Settings, events: Events, resources: IpcResources) -> None:
        self.settings = settings
        self._place = place
        self._board = board = resources.board
        self._id = board.worker_id(place)
        self._number = self._id - board.worker_num
        self._inbox = inbox_of(board, self._id)
        self._callbacks = Callbacks(server, events)
        self._channel = resources.channel
        self._transport = resources.transport
        self._spill = resources.spill
        self._bodies = Bodies(resources.spill, place)
        self._in_flight_slots = resources.in_flight_slots
        self._surroundings = Surroundings(server, place, settings, events, resources.board, self._bodies)
        self._answers = Answers(resources.channel, self._bodies, board, place)
        is_limited = settings.task_max_request or settings.task_max_memory
        self._recycle_policy = RecyclePolicy(settings) if is_limited else None
        self._told_to_stop = False

    @property
    def tasks(self) -> int:
        """How many tasks this process has done, well or not."""
        raise NotImplementedError

    def _is_to_be_recycled(self) -> bool:
        return self._recycle_policy is not None and self._recycle_policy.is_done(self.tasks)

    def _tell_why(self) -> None:
        """Log why it leaves, where nobody told it to."""
        if not self._told_to_stop:
            facts = {"slot": self._id, "pid": os.getpid(), "tasks": self.tasks}
            log.info("task worker recycled", extra={**facts, "rss": resident_bytes(os.getpid())})

    def _take_seat(self) -> None:
        """Enter the seat: from here on what is in flight here is ours alone, and nobody else adopts it."""
        with self._board.seats_locked(self._place):
            self._clean_up_after_the_dead(self._place)
            begin_files(self._board, self._spill, self._place)
            self._board.put(self._place, Cell.PID, os.getpid())
            self._board.put(self._place, Cell.STATE, State.AWAY)
            self._board.put(self._place, Cell.TO_ADOPT, 0)

    @property
    def _has_to_adopt(self) -> bool:
        """Whether the process in the other seat is gone, and nobody took what it had in hand."""
        return bool(self._board.get(self._board.other(self._place), Cell.TO_ADOPT))

    def _clean_up_after_the_dead(self, place: int) -> None:
        """Remove the files that an earlier process in this place left behind."""
        for in_flight in self._in_flight_slots[place]:
            for message in in_flight.answered_before():
                self._bodies.drop(message)
        discard_untold(self._board, self._spill, place)

    def _take(self, room: memoryview) -> int:
        """Take the next packet into `room`, messages before tasks; return its size in bytes, 0 when there is none."""
        return self._take_message(room) or self._transport.take(self._number, room)

    def _take_message(self, room: memoryview) -> int:
        return self._channel.receive_into(self._inbox, room[LEAD_BYTES:])

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        self._answers.post(to, self._bodies.frame(kind, number, data))

    def task(self, data: Any, target: int, end: object) -> int:
        raise UsageError("task() cannot be called in a task worker; send_message() an event worker that calls it")

    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any:
        raise UsageError("task_wait() cannot be called in a task worker; send_message() an event worker that does")
