"""Makes all that the processes of one server share, in the manager before the first fork, and removes it."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import sysv_ipc  # type: ignore[import-not-found]

from engine.ipc import in_flight, inbox_packet
from engine.ipc.board import BLOCKED_WITH_TASKS, Board, Cell, State
from engine.ipc.channel import inbox_of
from engine.ipc.counter import SharedCounter
from engine.ipc.in_flight import slots_in
from engine.ipc.inbox_packet import EventWorkerState, InboxPacket
from engine.ipc.memory import Folder, Maker, anonymous, refuse_others
from engine.ipc.message import EMPTY_PACKET, SPILLED, Message
from engine.ipc.recovery import IN_FLIGHT, Recovery, fill
from engine.ipc.spill import SpillDirectory
from engine.ipc.sysv_queue import QueueTransport, open_queue, remove_queue, unused_key
from engine.ipc.transport import SocketTransport, TaskTransport
from engine.ipc.unix_socket import UnixSocketChannel
from engine.log_lines import get_logger
from engine.settings import IpcMode, Settings

log = get_logger(__name__)

_ALWAYS = 5
"""Files: the counters of task ids and of removals, the board, and twice the table of connections."""
QUEUE_REMOVED = 4
"""Exit code of a server that stopped because somebody removed its queue: a service manager starts it again."""
_QUEUE_NOTE = "queue"
"""File that holds the key of a private queue, so that the next start can remove it after a kill -9."""


def open_files(settings: Settings, processes: int = 0) -> int:
    """Return how many files the processes of such a server share: both ends of each inbox and of each socket for tasks,
    and with a key what is kept in files, which costs one for the file and one for the memory; of what the queue held at
    the start, the file stays open."""
    events, tasks = 2 * settings.worker_num, settings.task_worker_num
    task_sockets = 2 * tasks if settings.task_ipc_mode == IpcMode.SOCKET else 0
    inboxes = 2 * (events + tasks + processes) + task_sockets
    in_files = 0 if settings.message_queue_key is None else 2 * (events + 2 * tasks) + 1
    return inboxes + in_files + _ALWAYS


class IpcResources:
    """What outlives each process of a server; with a message_queue_key the tasks in it outlive all of them."""

    transport: TaskTransport

    def __init__(self, settings: Settings, path: Path, concurrency: int = 0, processes: Sequence[str] = ()) -> None:
        """`path`: the directory for files, ours alone. `concurrency`, `processes`: see Board. Raises StartError, and
        OSError when it is full."""
        self._settings = settings
        self._path = path
        self._queue: sysv_ipc.MessageQueue | None = None
        self._folder: Folder | None = None
        self._manager_pid = os.getpid()
        self._removals = SharedCounter()
        """How often a process found that somebody had removed the queue."""
        self.discards_tasks = False
        """Whether what waits at the end is not to stay for the next start."""
        self.board = Board(settings.worker_num, settings.task_worker_num, settings.max_conn, concurrency, processes)
        self._places = len(self.board.event_places)
        self.channel = UnixSocketChannel(self.board.inboxes)
        self.spill = SpillDirectory(path)
        self._remove_private_queue()
        if settings.message_queue_key is None:
            refuse_others(path)
            self._start_anew()
        else:
            self._go_on(settings.message_queue_key)

    # ── at the start ────────────────────────────────────────────────────────────────────────────

    def _start_anew(self) -> None:
        self.spill.sweep()
        self.task_ids = SharedCounter()
        if self._settings.task_ipc_mode == IpcMode.SOCKET:
            self.transport = SocketTransport(self.channel, self._places, self.board.blocked, self._wake_waiting)
        else:
            key = unused_key()
            (self._path / _QUEUE_NOTE).write_text(str(key))
            self.transport = self._queue_transport(key)
        self._make_memory(anonymous, [])

    def _go_on(self, key: int) -> None:
        """Take over what earlier runs of a server with this key left."""
        self._folder = Folder(self._path, key)
        self.transport = transport = self._queue_transport(key)
        assert self._queue is not None  # noqa: S101
        recovery = Recovery(self._folder)
        tasks = self._without_done(recovery.tasks(transport, self._queue.current_messages))
        self.spill.sweep({task.body.decode() for task in tasks if task.codec & SPILLED})
        self.task_ids = SharedCounter(tasks[-1].id + 1 if tasks else 0)
        self._make_memory(recovery.make, tasks)
        recovery.settled()
        if tasks:
            log.info("tasks of an earlier run are delivered", extra={"key": key, "count": len(tasks)})

    def _without_done(self, tasks: list[Message]) -> list[Message]:
        """Return the tasks that have their files. A file goes with the answer: a task without it was done, though it is
        still noted somewhere."""
        gone = {task.id for task in tasks if task.codec & SPILLED and not self.spill.has(task.body)}
        if gone:
            log.warning("tasks without their files were done already, not delivered", extra={"count": len(gone)})
        return [task for task in tasks if task.id not in gone]

    def _queue_transport(self, key: int) -> QueueTransport:
        self._queue = open_queue(key)
        return QueueTransport(self._queue, self.board.blocked, self._wake_waiting, self._on_queue_removed)

    def _make_memory(self, make: Maker, tasks: list[Message]) -> None:
        """Make in-flight slots and event workers' state for all places; `tasks` wait there in equal shares."""
        settings, workers = self._settings, self._settings.worker_num

        def small(name: str, size: int) -> memoryview:
            region = make(name, size)
            region.reserve(0, size)
            return region.view

        first = self._places
        # one for each task at once, and one more, so that a task worker busy with all of them still gets messages
        count = self.board.concurrency + 1
        self.in_flight_slots = {
            place: slots_in(small(f"{IN_FLIGHT}-{place}", count * in_flight.REGION_BYTES))
            for place in range(first, first + 2 * settings.task_worker_num)
        }
        self.event_worker_states = []
        for place in self.board.event_places:
            share = tasks[place::workers] if place < workers else []
            backlog = fill(make, place, share, settings.task_queue_max_bytes, settings.task_worker_num)
            self.event_worker_states.append(
                EventWorkerState(backlog, InboxPacket(anonymous("", inbox_packet.REGION_BYTES).view))
            )
            self.board.put(place, Cell.SUBMITTED, len(share))
            self.board.put(place, Cell.WAITING, len(share))

        self.process_packets = [
            InboxPacket(anonymous("", inbox_packet.REGION_BYTES).view) for _ in self.board.processes
        ]

    def _wake_waiting(self, number: int, is_named: bool) -> None:
        """Wake task worker `number` if it waits or has credit; else, where any may do the task, another that does."""
        if self._waits(number):
            self._wake(number)
        elif not is_named:
            waiting = list(filter(self._waits, range(self.board.task_worker_num)))
            # one that is woken already looks idle for a while, and takes what it was woken for: it is the last choice
            waiting.sort(key=lambda each: self._cell(each, Cell.CALLED_NS))
            for each in waiting[:1]:
                self._wake(each)
                place = self.board.current(self.board.worker_num + each)
                self.board.put(place, Cell.CALLED_NS, time.monotonic_ns())

    def _waits(self, number: int) -> bool:
        return self._cell(number, Cell.STATE) == State.IDLE or bool(self._cell(number, Cell.CREDIT))

    def _wake(self, number: int) -> None:
        self.channel.send(inbox_of(self.board, self.board.worker_num + number), EMPTY_PACKET)

    def _cell(self, number: int, cell: Cell) -> int:
        return self.board.get(self.board.current(self.board.worker_num + number), cell)

    def wake_another(self, number: int) -> None:
        """Wake another task worker that waits: `number` is gone, and may have been woken for a task."""
        for each, is_blocked in enumerate(self.board.blocked):
            if is_blocked:  # it may have been about to note the opposite, and died before it looked once more
                self.board.blocked[each] = BLOCKED_WITH_TASKS
        self.transport.wake_other(number)

    def _on_queue_removed(self) -> None:
        """Stop the server, once: another queue would have to be told to every process, and nobody knows why it went."""
        if self._removals.draw(1) == 0:
            log.error(
                "System V queue was removed by somebody else, the server stops; tasks that were in it are lost",
                extra={"key": self._settings.message_queue_key},
            )
            os.kill(self._manager_pid, signal.SIGTERM)

    def check_queue(self) -> None:
        """Raise SystemExit when somebody removed the queue; to be called at the very end."""
        if self._removals.upcoming():
            raise SystemExit(QUEUE_REMOVED)

    # ── at the end ──────────────────────────────────────────────────────────────────────────────

    def close(self) -> bool:
        """Remove what the last process leaves, unless tasks are to stay for the next start; whether none are."""
        if self._folder is None:
            self._remove_private_queue()
            return True
        count = sum(len(state.backlog.load()) for state in self.event_worker_states)
        count += sum(
            len(each.leftover()) for in_flight_slots in self.in_flight_slots.values() for each in in_flight_slots
        )
        if not self.discards_tasks and (self._in_queue() or count):
            facts = {"key": self._settings.message_queue_key, "count": count, "packets": self._in_queue()}
            log.info("tasks are kept for the next start", extra=facts)
            return False
        for name in self._folder.names():
            self._folder.remove(name)
        if self._queue:
            with contextlib.suppress(sysv_ipc.ExistentialError):
                self._queue.remove()
        return True

    def _in_queue(self) -> int:
        """Return how many packets are in the queue."""
        with contextlib.suppress(sysv_ipc.ExistentialError):
            return int(self._queue.current_messages) if self._queue else 0
        return 0

    def _remove_private_queue(self) -> None:
        note = self._path / _QUEUE_NOTE
        with contextlib.suppress(FileNotFoundError, ValueError):
            remove_queue(int(note.read_text()))
        note.unlink(missing_ok=True)
