"""Runs a server's program in processes: makes what they share, starts them through the manager, judges what happens."""

import gc
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from setproctitle import setproctitle

from engine.errors import StartError, UsageError
from engine.events import Events
from engine.ipc.board import Cell, State
from engine.ipc.channel import inbox_of
from engine.ipc.message import EMPTY_PACKET
from engine.ipc.resources import IpcResources, open_files
from engine.ipc.spill import claim, default_path
from engine.ipc.task_limit import TaskLimit
from engine.log_lines import get_logger
from engine.process.child import START_FAILED, Readiness
from engine.process.children import Role
from engine.process.limits import make_room
from engine.process.listener import listen
from engine.process.manager import Manager
from engine.settings import Settings
from engine.stats import Stats
from engine.task_worker.coroutines import CoroutineWorker
from engine.task_worker.task_worker import TaskWorker
from engine.wire.tls import Certificates
from engine.worker.user_process import Target, UserProcess
from engine.worker.worker import EventWorker
from engine.worker_api import WorkerApi

log = get_logger(__name__)


class Program(Protocol):
    """The `Server` that the callbacks get: told who it is in each process."""

    host: str
    port: int
    worker_pid: int
    master_pid: int

    def become(self, worker: WorkerApi) -> None:
        """This process is that worker now."""

    def call_in_manager(self, event: str, *args: Any) -> None:
        """Call back, in the manager; what is raised is logged."""


class Supervisor:
    """One run of a server, from its start to its stop. Its copy in each child tells that child's worker id."""

    def __init__(self, server: Program, settings: Settings, events: Events, processes: Mapping[str, Target]) -> None:
        self.worker_id = -1
        self.taskworker = False
        self._server = server
        self._settings = settings
        self._events = events
        self._processes = dict(processes)
        self._is_running = False
        self._listener: socket.socket
        self._resources: IpcResources
        self._certificates: Certificates

    def run(self) -> None:
        """Serve until told to stop. See `Server.start`."""
        self._is_running = True
        try:
            self._certificates = Certificates(self._settings)
            workers = self._settings.worker_num + self._settings.task_worker_num + len(self._processes)
            make_room(open_files(self._settings, len(self._processes)), self._settings.max_conn, workers)
            self._server.master_pid = os.getpid()
            self._listener = listen(self._server.host, self._server.port, self._settings.backlog)
            try:
                self._server.port = self._listener.getsockname()[1]
                self._share_and_serve()
            finally:
                self._listener.close()
        finally:
            self._is_running = False
        self._resources.check_queue()

    def _share_and_serve(self) -> None:
        with ExitStack() as held:
            claims = [held.enter_context(claim(path)) for path in self._directories()]
            try:
                self._resources = IpcResources(self._settings, claims[0].path, self._concurrency, list(self._processes))
            except OSError as error:
                raise StartError(f"cannot make what workers share in {claims[0].path}: {error}") from error
            try:
                self._serve()
            finally:
                if self._resources.close():
                    claims[0].is_to_be_emptied = True

    def _directories(self) -> list[Path]:
        """Where files go; with a key, the place named after it as well, so that no two servers have one key."""
        settings, key = self._settings, self._settings.message_queue_key
        usual = default_path(f"{self._server.host}-{self._server.port}" if key is None else f"queue-{key}")
        if not settings.task_tmpdir:
            return [usual]
        return [Path(settings.task_tmpdir)] if key is None else [Path(settings.task_tmpdir), usual]

    @property
    def _concurrency(self) -> int:
        """See Board. A `def` holds up everything in its process, so it is given one task at a time."""
        if not self._settings.task_enable_coroutine:
            return 0
        return self._settings.task_max_concurrency if self._events.is_async("task") else 1

    def _serve(self) -> None:
        events, tasks = self._settings.worker_num, self._settings.task_worker_num
        name = self._settings.process_name
        task_workers = Role(
            lambda slot: f"{name}: task worker {slot - events}",
            range(events, events + tasks),
            self._be_task_worker,
        )
        event_workers = Role(
            lambda slot: f"{name}: worker {slot}", range(events), self._be_event_worker, self._no_more_answers
        )
        names = list(self._processes)
        first = events + tasks
        processes = Role(
            lambda slot: f"{name}: {names[slot - first]}",
            range(first, first + len(names)),
            self._be_user_process,
            is_exclusive=True,
            outlasts_previous=True,
        )
        everybody = [task_workers, processes, event_workers]
        manager = Manager(
            everybody,
            max_wait_s=self._settings.max_wait_time,
            on_ready=self._on_ready,
            on_stop=self._on_stop,
            on_death=self._on_death,
            on_current=self._resources.board.note_current,
            on_gone=self._on_gone,
            on_kill=self._on_kill,
            before_reload=self._before_reload,
            after_reload=lambda: self._call("after_reload"),
            reloads={signal.SIGUSR1: everybody, signal.SIGUSR2: [task_workers]},
            task_limit=self._task_limit,
        )
        setproctitle(f"{name}: manager")
        self._call("manager_start")
        # What is loaded by now is shared with the children until written to; the collector would write to all of it.
        gc.collect()
        gc.freeze()
        try:
            manager.run()
        except StartError as error:
            log.error("server stopped: %s", error)
            raise SystemExit(START_FAILED) from error
        finally:
            self._call("manager_stop")
            self._call("shutdown")

    @property
    def _task_limit(self) -> TaskLimit | None:
        timeout_s, in_flight_slots = self._settings.task_timeout_s, self._resources.in_flight_slots
        return TaskLimit(self._resources.board, in_flight_slots, timeout_s) if timeout_s and in_flight_slots else None

    def _on_ready(self) -> None:
        log.info("server ready", extra={"host": self._server.host, "port": self._server.port, "pid": os.getpid()})
        self._call("start")

    def _on_death(self, slot: int, pid: int, exit_code: int, killed_by: int) -> None:
        self._call("worker_error", slot, pid, exit_code, killed_by)

    def _before_reload(self) -> None:
        self._call("before_reload")
        self._certificates.renew()

    def _on_stop(self) -> None:
        log.info("server stopping", extra={"pid": os.getpid()})
        self._resources.board.note_stopping()
        self._listener.close()

    def _no_more_answers(self) -> None:
        """Everybody who answers is gone. Event workers that leave look for this now and then."""
        self._resources.board.note_answers_over()

    def _on_gone(self, slot: int, seat: int) -> bool:
        """A process is gone: another one of its worker id takes what it left. Whether it had a task in hand.

        What there is to take stands on the board. The packet only wakes who waits; one whose inbox is full is awake.
        """
        board = self._resources.board
        place = board.place(slot, seat)
        was_at_work = board.get(place, Cell.STATE) == State.BUSY or board.get(place, Cell.RUNNING) > 0
        for cell, value in ((Cell.PID, 0), (Cell.STATE, State.AWAY), (Cell.RUNNING, 0), (Cell.CREDIT, 0)):
            board.put(place, cell, value)
        if slot >= board.worker_num + board.task_worker_num:
            return False  # the next one in this place goes on with what it left
        board.put(place, Cell.TO_ADOPT, 1)
        if board.get(other := board.other(place), Cell.PID):
            self._resources.channel.send(other if slot < board.worker_num else inbox_of(board, slot), EMPTY_PACKET)
        if slot >= board.worker_num:
            self._resources.wake_another(slot - board.worker_num)
        return was_at_work

    def _on_kill(self, slot: int, seat: int) -> None:
        """What a task worker has in hand is not to blame for an end that we make."""
        for in_flight in self._resources.in_flight_slots.get(self._resources.board.place(slot, seat), ()):
            in_flight.excuse()

    def _be_event_worker(self, slot: int, seat: int, readiness: Readiness) -> int:
        place = self._resources.board.place(slot, seat)
        tls = self._certificates.context
        worker = EventWorker(self._server, place, self._settings, self._events, self._resources, self._listener, tls)
        self._become(slot, worker, taskworker=False)
        return worker.run(readiness)

    def _be_task_worker(self, slot: int, seat: int, readiness: Readiness) -> int:
        self._listener.close()
        place = self._resources.board.place(slot, seat)
        kind = CoroutineWorker if self._resources.board.concurrency else TaskWorker
        worker = kind(self._server, place, self._settings, self._events, self._resources)
        self._become(slot, worker, taskworker=True)
        return worker.run(readiness)

    def _be_user_process(self, slot: int, seat: int, readiness: Readiness) -> int:
        self._listener.close()
        place = self._resources.board.place(slot, seat)
        name = list(self._processes)[slot - self._settings.worker_num - self._settings.task_worker_num]
        target = self._processes[name]
        process = UserProcess(self._server, place, self._settings, self._events, self._resources, name, target)
        self._become(slot, process, taskworker=False)
        return process.run(readiness)

    def _call(self, event: str, *args: Any) -> None:
        self._server.call_in_manager(event, *args)

    def _become(self, worker_id: int, worker: WorkerApi, *, taskworker: bool) -> None:
        self.worker_id, self.taskworker = worker_id, taskworker
        self._server.worker_pid = os.getpid()
        self._server.become(worker)

    # ── what callbacks reach ────────────────────────────────────────────────────────────────────

    def refuse_start(self) -> None:
        """A server that has stopped may be started again; a child or a callback of the manager may not."""
        if self._is_running:
            raise UsageError("the server is running already")

    def reload(self, *, only_task_workers: bool) -> None:
        self._tell_manager(signal.SIGUSR2 if only_task_workers else signal.SIGUSR1)

    def shutdown(self) -> None:
        self._tell_manager(signal.SIGTERM)

    def _tell_manager(self, number: int) -> None:
        os.kill(self._server.master_pid, number)

    def discard_tasks(self) -> None:
        if self.worker_id >= 0:
            raise UsageError("discard_tasks() belongs into manager_stop or shutdown")
        self._resources.discards_tasks = True

    def stats(self) -> Stats:
        return self._resources.board.snapshot(self._resources.spill.count())
