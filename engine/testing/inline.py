"""`InlineServer`: a program's callbacks in one process, without sockets, for its unit tests."""

import asyncio
import os
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from engine.callbacks import Callbacks
from engine.errors import UnknownWorker, UsageError
from engine.log_lines import get_logger
from engine.server import Server
from engine.stats import Stats
from engine.testing.client import InlineClient
from engine.testing.clients import Clients
from engine.testing.inline_worker import InlineWorker
from engine.testing.loop import StandingLoop
from engine.testing.raised import Raised
from engine.testing.role import MANAGER, Role, playing
from engine.testing.runtime import InlineRuntime
from engine.testing.tasks import Tasks
from engine.worker.user_process import Target

log = get_logger(__name__)


class InlineServer:
    """Runs the callbacks of a program's server, unchanged, in the process of the test.

        with InlineServer(program.server) as inline:
            client = inline.connect()
            client.send(b"hello")
            inline.run_tasks()
            assert client.received == b"HELLO"

    What is real: the framing, the checks of every call, pickling of data and results both ways, what ends as
    TaskFailed, TaskTimeout, TaskQueueFull and UnknownWorker, whom a result goes to, the order of callbacks, the log.
    A handler that raises SystemExit is a task worker that dies: the task is tried again, and ends as TaskLost.

    What is simulated: one process is every worker by turns, so what a program keeps in its modules is shared where
    production has a copy for each process. `server.worker_id` and `server.taskworker` are right in every callback.
    Tasks wait until `run_tasks`, then run one by one in the order they were given, by the task workers in turn.
    The targets of `add_process` run on the one loop; one that ends is not started again. The clock of the loop stands
    still: `advance` moves it, so a `sleep`, a timeout or a timer costs a test no time.

    What is missing: other processes, and with them reload, shutdown and time limits of processes and tasks; signals;
    limits of connections and clients that read slowly; back-pressure other than TaskQueueFull; awaiting sockets of
    one's own. Calls that need these raise UsageError; their settings change nothing.

    What nobody would hear of but the log is raised by the call that led to it (`send`, `run_tasks`, `advance`, …): what
    a callback raises, and a task that fails or is lost where no `task_error`, no `error_callback` and nobody who waits
    hears of it. `raise_errors=False` leaves it in the log, as in production.

    For plain `def` tests: inside a running event loop it cannot run its own.
    """

    def __init__(self, server: Server, *, raise_errors: bool = True) -> None:
        """`server`: with its callbacks, not started. Use the object as a context manager."""
        self.server = server
        self._raised = Raised(is_wanted=raise_errors)
        self._settings = server.settings
        self._loop: StandingLoop
        self._callbacks: Callbacks
        self._clients: Clients
        self._tasks: Tasks
        self._place: InlineWorker
        self._processes: list[asyncio.Task[None]] = []
        self._end = ExitStack()

    # ── what a test does ────────────────────────────────────────────────────────────────────────

    def connect(self, worker_id: int = 0) -> InlineClient:
        """Connect a new client to this event worker. Raises UnknownWorker."""
        if not 0 <= worker_id < self._settings.worker_num:
            raise UnknownWorker(worker_id, f"event workers are 0 to {self._settings.worker_num - 1}")
        return self._clients.connect(worker_id)

    def run_tasks(self, most: int | None = None) -> int:
        """Run the tasks that wait, and those they lead to, `most` at most; return how many were done.

        What the results lead to has happened when it returns. Without `most` it ends when no task waits.
        """
        done = 0
        while (most is None or done < most) and self._tasks.run_next():
            done += 1
            self._raised.check()
        return done

    def advance(self, seconds: float) -> None:
        """Move the loop's clock on; what becomes due runs in order. `time.time` and `time.monotonic` stay real."""
        self._loop.advance(seconds)
        self._raised.check()

    def stats(self) -> Stats:
        """Return the server in numbers, as `server.stats()`."""
        return self._place.stats()

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Call manager_start, worker_start of every worker, task workers first, and start.

        Raises UsageError for a program that a real server would not start, and what worker_start raises.
        """
        self._check()
        with ExitStack() as end:
            self._loop = loop = StandingLoop()
            end.enter_context(asyncio.Runner(loop_factory=lambda: loop))
            end.callback(loop.free)
            events = self.server._events
            self._callbacks = Callbacks(self.server, events, self._raised.note)
            self._clients = Clients(self._settings, loop, self._callbacks, self._raised)
            self._tasks = Tasks(self.server, events, loop, self._callbacks, self._raised)
            self._place = InlineWorker(self._settings, loop, self._callbacks, self._clients, self._tasks)
            self._take_the_server(end)
            self._call_in_manager("manager_start")
            for worker_id in self._worker_ids():
                self._start_worker(worker_id)
            self._start_processes()
            self._call_in_manager("start")
            self._raised.check()
            self._end = end.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in good order: coroutines get `max_wait_time` on the clock, tasks that still wait are dropped."""
        with self._end:
            self._place.stopping = True
            self._place.clear_timers()
            for worker_id in range(self._settings.worker_num):
                self._emit(worker_id, "worker_exit")
            self._loop.advance(self._settings.max_wait_time)
            self._end_processes()
            for worker_id in self._worker_ids():
                self._emit(worker_id, "worker_stop")
            self._loop.advance(self._settings.max_wait_time)
            for client in list(self._clients.open.values()):
                self._clients.close(client)
            self._loop.settle()
            self._call_in_manager("manager_stop")
            self._call_in_manager("shutdown")
        if error is None:
            self._raised.check()

    def _check(self) -> None:
        if isinstance(self.server._runtime, InlineRuntime):
            raise UsageError("this server runs in an InlineServer already")
        if self.server._runtime is not None:
            raise UsageError("an InlineServer takes a server that is not started")
        self.server.check_callbacks()

    def _take_the_server(self, end: ExitStack) -> None:
        """The program holds its server in a module or a closure, so that object is the one to run; nothing stays."""
        server, before = self.server, dict(vars(self.server))

        def restore() -> None:
            vars(server).clear()
            vars(server).update(before)

        end.callback(restore)
        server._runtime = InlineRuntime(self._place, self._task_workers)
        server.worker_pid = server.master_pid = os.getpid()
        server.become(self._place)

    def _worker_ids(self) -> list[int]:
        """Return the worker ids in the order of their start."""
        return [*self._task_workers, *range(self._settings.worker_num)]

    @property
    def _task_workers(self) -> range:
        return range(self._settings.worker_num, self._settings.worker_num + self._settings.task_worker_num)

    def _start_processes(self) -> None:
        for worker_id, (name, target) in enumerate(self.server.processes.items(), self._task_workers.stop):
            with playing(Role(worker_id)):
                self._processes.append(self._loop.create_task(self._live(name, target)))
        self._loop.settle()

    async def _live(self, name: str, target: Target) -> None:
        try:
            await target(self.server)
        except Exception as error:
            log.exception("user process ended by an error", extra={"title": name})
            self._raised.note(error)

    def _end_processes(self) -> None:
        for process in self._processes:
            process.cancel()
        self._loop.advance(self._settings.max_wait_time)

    def _start_worker(self, worker_id: int) -> None:
        """An event worker begins inside its loop, a task worker has none."""

        async def start() -> None:
            if starting := self._place.call("worker_start", worker_id):
                await starting

        with playing(Role(worker_id)):
            if worker_id < self._settings.worker_num:
                self._loop.complete(start(), f"worker_start of worker {worker_id}")
            else:
                self._call_task_worker("worker_start", worker_id)

    def _call_task_worker(self, event: str, worker_id: int) -> None:
        if coroutine := self._place.call(event, worker_id):
            self._loop.complete(coroutine, event)

    def _emit(self, worker_id: int, event: str) -> None:
        with playing(Role(worker_id)):  # what is called soon is called in this role
            if worker_id < self._settings.worker_num:
                self._loop.call_soon(self._callbacks.emit, event, worker_id)
                self._loop.settle()
            else:
                self._callbacks.guard(event, lambda: self._call_task_worker(event, worker_id))

    def _call_in_manager(self, event: str) -> None:
        with playing(Role(MANAGER)):
            self.server.become(None)
            self._callbacks.guard(event, partial(self._callbacks.call, event))
            self.server.become(self._place)
