"""`Server`: what a program holds. The only file that knows all the others."""

import asyncio
import gc
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from setproctitle import setproctitle

from engine.descriptors import make_room
from engine.errors import StartError, UnknownWorker, UsageError
from engine.events import IN_MANAGER
from engine.ipc.channel import inbox_of
from engine.ipc.message import Kind, Message, packets, to_bytes
from engine.ipc.shared import Shared
from engine.ipc.spill import claim, default_path
from engine.process.child import START_FAILED, Readiness
from engine.process.crew import Role
from engine.process.listener import listen
from engine.process.manager import Manager
from engine.registration import Registration
from engine.settings import IpcMode, Settings
from engine.stats import Cell, State, Stats
from engine.task_worker.coroutines import CoroutineWorker
from engine.task_worker.task_worker import TaskWorker
from engine.wire.tls import server_context
from engine.worker.worker import EventWorker

log = logging.getLogger(__name__)


class _Place(Protocol):
    """The process this code runs in: what a callback's calls reach."""

    @property
    def attempt(self) -> int: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def connections(self) -> list[int]: ...
    def task(self, data: Any, target: int, callback: Callable[..., Any] | None) -> int: ...
    async def task_wait(self, data: Any, timeout_s: float, target: int) -> Any: ...
    def finish(self, data: Any) -> None: ...
    def send_message(self, message: Any, worker_id: int) -> None: ...
    def send(self, fd: int, data: bytes) -> bool: ...
    def close(self, fd: int) -> bool: ...
    def exists(self, fd: int) -> bool: ...
    def get_client_info(self, fd: int) -> dict[str, Any] | None: ...


class Server(Registration):
    """A TCP server with event workers and task workers.

    Give it callbacks with `on`, then `start`. In every callback `server` is this object, in the process that calls.
    """

    def __init__(self, host: str, port: int, settings: Settings | None = None) -> None:
        """`port` 0 takes a free one; `server.port` tells which, once it has started. Raises UsageError."""
        super().__init__()
        if not isinstance(host, str):
            raise UsageError(f"host is {host!r}, must be an address or a name, a str")
        if type(port) is not int or not 0 <= port <= 65_535:
            raise UsageError(f"port is {port!r}, must be a whole number, 0 to 65535")
        if settings is not None and not isinstance(settings, Settings):
            raise UsageError(f"settings is {settings!r}, must be made with Settings(…)")
        self.host = host
        self.port = port
        self.settings = settings or Settings()
        self.worker_id = -1
        """Event workers 0 … worker_num-1, task workers after them; -1 in the manager."""
        self.taskworker = False
        """Whether this process is a task worker."""
        self.worker_pid = 0
        self.master_pid = 0
        self._place: _Place | None = None
        self._listener: socket.socket
        self._shared: Shared
        self._tls: ssl.SSLContext | None

    # ── before the start ────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Run until SIGTERM or SIGINT. Main thread only.

        Raises UsageError for a missing callback and StartError for a port, directory or certificate that cannot be
        used. Ends the program with exit code 3 when a worker cannot begin.
        """
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("start() belongs into the main thread, to which the system sends signals")
        self._check_callbacks()
        self._tls = server_context(self.settings)
        self.master_pid = os.getpid()
        self._listener = listen(self.host, self.port, self.settings.backlog)
        try:
            self.port = self._listener.getsockname()[1]
            with ExitStack() as held:
                claims = [held.enter_context(claim(path)) for path in self._directories()]
                try:
                    self._shared = Shared(self.settings, claims[0].path, self._concurrency)
                except OSError as error:
                    raise StartError(f"cannot make what workers share in {claims[0].path}: {error}") from error
                try:
                    self._serve()
                finally:
                    if self._shared.close():
                        claims[0].is_to_be_emptied = True
        finally:
            self._listener.close()

    def _directories(self) -> list[Path]:
        """Where files go; with a key, the place named after it as well, so that no two servers have one key."""
        settings, key = self.settings, self.settings.message_queue_key
        usual = default_path(f"{self.host}-{self.port}" if key is None else f"queue-{key}")
        if not settings.task_tmpdir:
            return [usual]
        return [Path(settings.task_tmpdir)] if key is None else [Path(settings.task_tmpdir), usual]

    def _check_callbacks(self) -> None:
        if self._events.get("receive") is None:
            raise UsageError("a server needs a callback for receive")
        if self.settings.task_worker_num and self._events.get("task") is None:
            raise UsageError("a server with task workers needs a callback for task")
        if self._events.is_async("task") and not self.settings.task_enable_coroutine:
            raise UsageError("the callback of task is async def, set task_enable_coroutine")
        for event in IN_MANAGER:
            if self._events.is_async(event):
                raise UsageError(f"the callback of {event} is async def, and no event loop runs in the manager")

    @property
    def _concurrency(self) -> int:
        """See Board. A `def` holds up everything in its process, so it is given one task at a time."""
        if not self.settings.task_enable_coroutine:
            return 0
        return self.settings.task_max_concurrency if self._events.is_async("task") else 1

    def _serve(self) -> None:
        events, tasks = self.settings.worker_num, self.settings.task_worker_num
        name = self.settings.process_name
        task_workers = Role(
            lambda slot: f"{name}: task worker {slot - events}",
            range(events, events + tasks),
            self._be_task_worker,
        )
        event_workers = Role(
            lambda slot: f"{name}: worker {slot}", range(events), self._be_event_worker, self._no_more_answers
        )
        manager = Manager(
            [task_workers, event_workers],
            max_wait_s=self.settings.max_wait_time,
            on_ready=self._on_ready,
            on_stop=self._on_stop,
            on_death=self._on_death,
            on_current=self._shared.board.note_current,
            on_gone=self._on_gone,
            before_reload=lambda: self._call_in_manager("before_reload"),
            after_reload=lambda: self._call_in_manager("after_reload"),
            reloads={signal.SIGUSR1: [task_workers, event_workers], signal.SIGUSR2: [task_workers]},
        )
        self._make_room()
        setproctitle(f"{name}: manager")
        self._call_in_manager("manager_start")
        # What is loaded by now is shared with the children until written to; the collector would write to all of it.
        gc.collect()
        gc.freeze()
        try:
            manager.run()
        except StartError as error:
            log.error("server stopped: %s", error)
            raise SystemExit(START_FAILED) from error
        finally:
            self._call_in_manager("manager_stop")
            self._call_in_manager("shutdown")

    def _make_room(self) -> None:
        wanted = self.settings.max_conn
        if (room := make_room(wanted)) < wanted:
            log.warning(
                "max_conn is above what the limit of open files (ulimit -Hn) allows each event worker",
                extra={"max_conn": wanted, "connections": room},
            )

    def _on_ready(self) -> None:
        log.info("server ready", extra={"host": self.host, "port": self.port, "pid": self.master_pid})
        self._call_in_manager("start")

    def _on_death(self, slot: int, pid: int, exit_code: int, killed_by: int) -> None:
        self._call_in_manager("worker_error", slot, pid, exit_code, killed_by)

    def _on_stop(self) -> None:
        log.info("server stopping", extra={"pid": self.master_pid})
        self._shared.board.note_stopping()
        self._listener.close()

    def _no_more_answers(self) -> None:
        """Tell event workers that every task worker is gone. An inbox takes it behind the last answers."""
        board = self._shared.board
        for place in board.event_places:
            if board.get(place, Cell.PID):
                self._tell(place, Kind.LEAVE)

    def _on_gone(self, slot: int, seat: int) -> bool:
        """A process is gone: another one of its worker id, where there is one, takes what it left. Whether it had a
        task in hand."""
        board = self._shared.board
        place = board.place(slot, seat)
        was_at_work = board.get(place, Cell.STATE) == State.BUSY or board.get(place, Cell.RUNNING) > 0
        for cell, value in ((Cell.PID, 0), (Cell.STATE, State.AWAY), (Cell.RUNNING, 0), (Cell.ROOM, 0)):
            board.put(place, cell, value)
        other = board.other(place)
        if board.get(other, Cell.PID):
            self._tell(other if slot < board.worker_num else inbox_of(board, slot), Kind.ADOPT)
        if slot >= board.worker_num:
            self._shared.wake_another(slot - board.worker_num)
        return was_at_work

    def _tell(self, inbox: int, kind: Kind) -> None:
        (packet,) = packets([to_bytes(Message(kind, 0, 0, 0, b""))])
        deadline = time.monotonic() + 1.0
        while not self._shared.channel.send(inbox, packet) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _call_in_manager(self, event: str, *args: Any) -> None:
        if (callback := self._events.get(event)) is None:
            return
        try:
            callback(self, *args)
        except Exception:
            log.exception("callback raised", extra={"event": event})

    def _be_event_worker(self, slot: int, seat: int, readiness: Readiness) -> int:
        place = self._shared.board.place(slot, seat)
        worker = EventWorker(self, place, self.settings, self._events, self._shared, self._listener, self._tls)
        self._settle(slot, worker, taskworker=False)
        return worker.run(readiness)

    def _be_task_worker(self, slot: int, seat: int, readiness: Readiness) -> int:
        self._listener.close()
        place = self._shared.board.place(slot, seat)
        kind = CoroutineWorker if self._shared.board.concurrency else TaskWorker
        worker = kind(self, place, self.settings, self._events, self._shared)
        self._settle(slot, worker, taskworker=True)
        return worker.run(readiness)

    def _settle(self, slot: int, place: _Place, *, taskworker: bool) -> None:
        self.worker_id, self.worker_pid, self.taskworker = slot, os.getpid(), taskworker
        self._place = place

    # ── inside callbacks ────────────────────────────────────────────────────────────────────────

    @property
    def _here(self) -> _Place:
        if self._place is None:
            raise UsageError("this call works inside event workers and task workers only")
        return self._place

    @property
    def attempt(self) -> int:
        """In a task handler: 1, or 2, 3, … when earlier task workers died with this task in hand."""
        return self._here.attempt

    @property
    def stopping(self) -> bool:
        """Whether this process was told to stop. A long task may ask now and then, and end early."""
        return self._here.stopping

    @property
    def connections(self) -> list[int]:
        """Session numbers of the connections that this event worker has. Raises UsageError in a task worker."""
        return self._here.connections

    def task(
        self,
        data: Any,
        dst_worker_id: int = -1,
        finish_callback: Callable[[Any, int, Any], Any] | None = None,
    ) -> int:
        """Hand a job to a task worker and return its id: from 0, rising in each worker, unique over all of them.

        `data`: bytes and str travel as they are, anything else pickled. `dst_worker_id`: a task worker, from 0;
        -1 is any idle one. `finish_callback(server, task_id, result)` is called instead of `finish`.
        Event workers only. Raises UnknownWorker, and what pickle raises.
        """
        if finish_callback is not None and not callable(finish_callback):
            raise UsageError(f"finish_callback is {finish_callback!r}, which cannot be called")
        return self._here.task(data, self._target(dst_worker_id), finish_callback)

    def _target(self, dst_worker_id: int) -> int:
        """The task worker that is to do it; in PREEMPTIVE mode that is never a certain one."""
        tasks = self.settings.task_worker_num
        if tasks == 0:
            raise UsageError("this server has no task workers, set task_worker_num")
        if type(dst_worker_id) is not int or not -1 <= dst_worker_id < tasks:
            raise UnknownWorker(dst_worker_id, f"task workers are 0 to {tasks - 1}, or -1 for any")
        return -1 if self.settings.task_ipc_mode == IpcMode.PREEMPTIVE else dst_worker_id

    async def task_wait(self, data: Any, timeout: float = 0.5, dst_worker_id: int = -1) -> Any:  # noqa: ASYNC109
        """Hand a job to a task worker and wait for its result, `timeout` seconds at most; other clients are served.

        None when the handler gives nothing back. `finish` and `task_error` are not called. Raises TaskTimeout (the
        task goes on, its late result is dropped and counted), TaskFailed, TaskLost, and what `task` raises.
        """
        return await self._here.task_wait(data, timeout, self._target(dst_worker_id))

    async def task_wait_multi(self, tasks: Sequence[Any], timeout: float = 0.5) -> list[Any]:  # noqa: ASYNC109
        """Hand out several jobs and wait for all, `timeout` seconds at most.

        In the order asked: each a result, or the exception that `task_wait` would have raised.
        """
        self._target(-1)
        waits = [self._here.task_wait(data, timeout, -1) for data in tasks]
        return await asyncio.gather(*waits, return_exceptions=True)

    def finish(self, data: Any) -> None:
        """Inside a task handler: send the result; the same as returning it. Once per task."""
        self._here.finish(data)

    def send_message(self, message: Any, worker_id: int) -> None:
        """Send anything that can be pickled to another worker, where `pipe_message` gets it."""
        workers = self.settings.worker_num + self.settings.task_worker_num
        here = self._here
        if type(worker_id) is not int or not 0 <= worker_id < workers or worker_id == self.worker_id:
            raise UnknownWorker(worker_id, f"others here are 0 to {workers - 1} without {self.worker_id}")
        here.send_message(message, worker_id)

    def send(self, fd: int, data: bytes | str) -> bool:
        """Send to a client; False when its connection is closed. Never blocks. Works from task workers, where True
        says that its event worker was asked. Raises SendBufferFull when the client reads too slowly."""
        return self._here.send(fd, data.encode() if isinstance(data, str) else data)

    def close(self, fd: int) -> bool:
        """Close a connection once what waits is sent; False when it is closed already.

        From now on it is not there: `exists` is False, `send` gives False, and what the client says is dropped. The
        event `close` follows when the socket is gone, about a second later where the client does not close its side.
        """
        return self._here.close(fd)

    def exists(self, fd: int) -> bool:
        """Whether that connection is open, in whichever event worker. From event workers and task workers."""
        return self._here.exists(fd)

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        """remote_ip, remote_port, reactor_id (the event worker it is in), connect_time (Unix time) of a connection.

        None when it is closed. From event workers and task workers, for the connections of all event workers.
        """
        return self._here.get_client_info(fd)

    def reload(self, only_task_workers: bool = False) -> None:
        """Replace every worker, or every task worker, one by one, each once the new one is ready. Returns at once.

        From every process. One that is asked for while another runs comes after it.
        """
        self._tell_manager(signal.SIGUSR2 if only_task_workers else signal.SIGUSR1)

    def shutdown(self) -> None:
        """Stop the server as SIGTERM does. Returns at once. From every process."""
        self._tell_manager(signal.SIGTERM)

    def discard_tasks(self) -> None:
        """When the server has stopped, forget the tasks that were not done instead of keeping them for the next start.

        For a program that makes them anew at each start. In `manager_stop` and `shutdown`; a killed server keeps them.
        """
        if self._place is not None or not self.master_pid:
            raise UsageError("discard_tasks() belongs into manager_stop or shutdown")
        self._shared.discards_tasks = True

    def _tell_manager(self, number: int) -> None:
        if not self.master_pid:
            raise UsageError("the server is not started")
        os.kill(self.master_pid, number)

    def stats(self) -> Stats:
        """The server in numbers, the same from every process."""
        if not self.master_pid:
            raise UsageError("there is nothing to count before the server starts")
        return self._shared.board.snapshot(self._shared.spill.count())
