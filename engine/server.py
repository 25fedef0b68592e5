"""`Server`: the object that a program makes, and that its callbacks call."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import StartError, TaskError, UnknownWorker, UsageError
from engine.events import IN_MANAGER, TaskCallbacks, TaskEnd
from engine.log_lines import get_logger
from engine.registration import Registration
from engine.settings import IpcMode, Settings
from engine.stats import Stats
from engine.supervisor import Supervisor
from engine.worker.user_process import Target, check_target
from engine.worker_api import Runtime, WorkerApi

log = get_logger(__name__)

_BYTES = (bytes, bytearray, memoryview)


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
        self._has_task_workers = self.settings.task_worker_num > 0
        self.worker_pid = 0
        self.master_pid = 0
        self.processes: dict[str, Target] = {}
        """What `add_process` was given, by name, in the order of their worker ids."""
        self._worker: WorkerApi | None = None
        """The worker that this process is; None in the manager."""
        self._runtime: Runtime | None = None

    # ── before the start ────────────────────────────────────────────────────────────────────────

    def add_process(self, name: str, target: Target) -> int:
        """Add a process of the program's own beside the workers, for what needs one, such as a connection to
        a message centre or a consumer of a queue. Before the start. Its worker id, which comes after those of task
        workers.

        `async def target(server)` runs in it, on an event loop; `pipe_message` is called there for what others say by
        `send_message`, while it is away once it is back. There is never more than one of a name: in a reload the old
        one is gone before the new one starts. One that ends, whichever way, is started again. It stops after task
        workers and before event workers; then its target is cancelled, and may take `max_wait_time` to clean up.
        Raises UsageError.
        """
        if self._runtime is not None:
            raise UsageError("add_process() belongs before start()")
        check_target(name, target, list(self.processes))
        self.processes[name] = target
        return self.settings.worker_num + self.settings.task_worker_num + len(self.processes) - 1

    def start(self) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP. Main thread only.

        Raises UsageError for a missing callback and StartError for a port, directory or certificate that cannot be
        used, or for a limit of open files that is too low. Ends the program with exit code 3 when a worker cannot
        begin, with 4 when its queue was removed.
        """
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("start() belongs into the main thread, to which the system sends signals")
        if self._runtime is not None:
            self._runtime.refuse_start()
        self.check_callbacks()
        self._runtime = supervisor = Supervisor(self, self.settings, self._events, self.processes)
        try:
            supervisor.run()
        except StartError:
            self._runtime = None
            raise

    def check_callbacks(self) -> None:
        """Raise UsageError when a callback is missing, or is of a kind that cannot be called where it would be."""
        if self._events.get("receive") is None:
            raise UsageError("a server needs a callback for receive")
        if self.settings.task_worker_num and self._events.get("task") is None:
            raise UsageError("a server with task workers needs a callback for task")
        if self._events.is_async("task") and not self.settings.task_enable_coroutine:
            raise UsageError("the callback of task is async def, set task_enable_coroutine")
        for event in IN_MANAGER:
            if self._events.is_async(event):
                raise UsageError(f"the callback of {event} is async def, and no event loop runs in the manager")

    def become(self, worker: WorkerApi | None) -> None:
        """Make this process that worker; for what runs this server."""
        self._worker = worker

    def call_in_manager(self, event: str, *args: Any) -> None:
        """Call back in the manager and log what is raised; for what runs this server."""
        if (callback := self._events.get(event)) is None:
            return
        try:
            callback(self, *args)
        except Exception:
            log.exception("callback raised", extra={"event": event})

    # ── inside callbacks ────────────────────────────────────────────────────────────────────────

    @property
    def _here(self) -> WorkerApi:
        if self._worker is None:
            raise UsageError("this call works inside event workers, task workers and user processes only")
        return self._worker

    @property
    def worker_id(self) -> int:
        """Event workers 0 … worker_num-1, then task workers, then user processes; -1 in the manager."""
        return self._runtime.worker_id if self._runtime else -1

    @property
    def taskworker(self) -> bool:
        """Whether this process is a task worker."""
        return self._runtime is not None and self._runtime.taskworker

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
        error_callback: Callable[[Any, int, TaskError], Any] | None = None,
    ) -> int:
        """Hand a job to a task worker and return its id: from 0, rising in each worker, unique over all of them.

        `data`: bytes and str travel as they are, anything else pickled. `dst_worker_id`: a task worker, from 0;
        -1 is any idle one. `finish_callback(server, task_id, result)` is called instead of `finish`, and
        `error_callback(server, task_id, error)` instead of `task_error`; both die with this process.
        Event workers only. Raises UnknownWorker, and what pickle raises.
        """
        if finish_callback is not None and not callable(finish_callback):
            raise UsageError(f"finish_callback is {finish_callback!r}, which cannot be called")
        end: TaskEnd = finish_callback
        if error_callback is not None:
            if not callable(error_callback):
                raise UsageError(f"error_callback is {error_callback!r}, which cannot be called")
            end = TaskCallbacks(finish_callback, error_callback)
        target = -1 if dst_worker_id == -1 and self._has_task_workers else self._target(dst_worker_id)
        return self._here.task(data, target, end)

    def _target(self, dst_worker_id: int) -> int:
        """Return the number of the task worker that is to do it, -1 for any; in PREEMPTIVE mode it is always any."""
        tasks = self.settings.task_worker_num
        if tasks == 0:
            raise UsageError("this server has no task workers, set task_worker_num")
        if type(dst_worker_id) is not int or not -1 <= dst_worker_id < tasks:
            raise UnknownWorker(dst_worker_id, f"task workers are 0 to {tasks - 1}, or -1 for any")
        return -1 if self.settings.task_ipc_mode == IpcMode.PREEMPTIVE else dst_worker_id

    async def task_wait(self, data: Any, timeout: float = 0.5, dst_worker_id: int = -1) -> Any:  # noqa: ASYNC109
        """Hand a job to a task worker and wait for its result, `timeout` seconds at most; other clients are served.

        None when the handler returns nothing. `finish` and `task_error` are not called. Raises TaskTimeout (the
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
        workers = self.settings.worker_num + self.settings.task_worker_num + len(self.processes)
        here = self._here
        if type(worker_id) is not int or not 0 <= worker_id < workers or worker_id == self.worker_id:
            raise UnknownWorker(worker_id, f"others here are 0 to {workers - 1} without {self.worker_id}")
        here.send_message(message, worker_id)

    def send(self, fd: int, data: bytes | str) -> bool:
        """Send to a client; False when its connection is closed. Never blocks. Works from task workers, where True
        says that its event worker was asked. Raises SendBufferFull when the client reads too slowly."""
        if isinstance(data, str):
            data = data.encode()
        elif not isinstance(data, _BYTES):
            raise UsageError(f"send() takes bytes or text, and was given {type(data).__name__}")
        return self._here.send(fd, data)

    def close(self, fd: int) -> bool:
        """Close a connection once what waits is sent; False when it is closed already.

        From now on `exists` and `send` return False, and what the client sends is dropped. The
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

    def tick(self, interval_ms: float, callback: Callable[..., Any], *args: Any) -> int:
        """Call `callback(*args)` every `interval_ms` milliseconds, 1 to 86,400,000, in this process; the timer's id.

        In task workers between tasks, elsewhere it may be `async def`. While one call is at work no other begins:
        ticks that a busy process is late for are left out. What it raises is logged, and the timer goes on. It ends
        with its process, or with `clear_timer`. Raises UsageError.
        """
        return self._here.timers.tick(interval_ms, callback, args)

    def after(self, delay_ms: float, callback: Callable[..., Any], *args: Any) -> int:
        """Call `callback(*args)` once, in `delay_ms` milliseconds. As `tick` for all else."""
        return self._here.timers.after(delay_ms, callback, args)

    def clear_timer(self, timer_id: int) -> bool:
        """Stop a timer of this process; False when there is none of this id, or not any more."""
        return self._here.timers.clear(timer_id)

    def reload(self, only_task_workers: bool = False) -> None:
        """Replace every worker, or every task worker, one by one, each once the new one is ready. Returns at once.

        From every process. One that is asked for while another runs comes after it.
        """
        self._started.reload(only_task_workers=only_task_workers)

    def shutdown(self) -> None:
        """Stop the server as SIGTERM does. Returns at once. From every process."""
        self._started.shutdown()

    def discard_tasks(self) -> None:
        """When the server has stopped, forget the tasks that were not done instead of keeping them for the next start.

        For a program that makes them anew at each start. In `manager_stop` and `shutdown`; a killed server keeps them.
        """
        if self._runtime is None:
            raise UsageError("discard_tasks() belongs into manager_stop or shutdown")
        self._runtime.discard_tasks()

    def stats(self) -> Stats:
        """Return the server in numbers, the same from every process."""
        return self._started.stats()

    @property
    def _started(self) -> Runtime:
        if self._runtime is None:
            raise UsageError("the server is not started")
        return self._runtime
