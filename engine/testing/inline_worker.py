"""The worker that callbacks in an inline server reach, whichever worker they run in."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from engine.callbacks import Callbacks
from engine.errors import UsageError
from engine.events import TaskEnd
from engine.ipc.message import decode, encode
from engine.settings import Settings
from engine.stats import EventWorkerStats, Stats, TaskWorkerStats
from engine.task_worker.base_runner import refuse_coroutine
from engine.testing.clients import Clients
from engine.testing.loop import StandingLoop
from engine.testing.role import Role, current, playing
from engine.testing.tasks import Tasks
from engine.timers import LoopTimers


class InlineWorker:
    """Every worker at once; `role.current()` tells which one asks."""

    stopping = False

    def __init__(
        self, settings: Settings, loop: StandingLoop, callbacks: Callbacks, clients: Clients, tasks: Tasks
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._callbacks = callbacks
        self._clients = clients
        self._tasks = tasks
        self._start_time = time.time()
        self._timers: dict[int, LoopTimers] = {}

    @property
    def attempt(self) -> int:
        return current().attempt

    @property
    def _is_task_worker(self) -> bool:
        return self._settings.worker_num <= current().worker_id < self._first_process

    @property
    def _first_process(self) -> int:
        return self._settings.worker_num + self._settings.task_worker_num

    @property
    def timers(self) -> LoopTimers:
        """The timers of the current worker."""
        worker_id = current().worker_id
        if worker_id not in self._timers:
            self._timers[worker_id] = LoopTimers(partial(self._call_timer, worker_id), self._loop)
        return self._timers[worker_id]

    def _call_timer(self, worker_id: int, call: Callable[[], Any]) -> asyncio.Future[None] | None:
        with playing(Role(worker_id)):
            if self._is_task_worker and not self._settings.task_enable_coroutine:
                return self._callbacks.guard("timer", lambda: refuse_coroutine("the callback of a timer", call()))
            return self._callbacks.guard("timer", call)

    def clear_timers(self) -> None:
        for timers in self._timers.values():
            timers.clear_all()

    # ── tasks and messages ──────────────────────────────────────────────────────────────────────

    def task(self, data: Any, target: int, end: TaskEnd) -> int:
        return self._tasks.submit(data, target, end)

    def task_wait(self, data: Any, timeout_s: float, target: int) -> Coroutine[Any, Any, Any]:
        return self._tasks.wait(current(), data, timeout_s, target)

    def finish(self, data: Any) -> None:
        self._tasks.finish(data)

    def send_message(self, message: Any, worker_id: int) -> None:
        self._loop.call_soon(self._deliver, current().worker_id, worker_id, *encode(message))

    def _deliver(self, source: int, to: int, codec: int, body: bytes) -> None:
        with playing(Role(to)):
            self._callbacks.guard("pipe_message", lambda: self.call("pipe_message", source, decode(codec, body)))

    def call(self, event: str, *args: Any) -> Coroutine[Any, Any, Any] | None:
        """Call back and return the coroutine, where it is one. A task worker has no loop to run it."""
        coroutine = self._callbacks.call(event, *args)
        if self._is_task_worker and not self._settings.task_enable_coroutine:
            refuse_coroutine(event, coroutine)
        return coroutine

    # ── connections ─────────────────────────────────────────────────────────────────────────────

    @property
    def connections(self) -> list[int]:
        if current().worker_id >= self._settings.worker_num:
            raise UsageError("only event workers have connections")
        here = current().worker_id
        return [fd for fd, client in self._clients.open.items() if client.worker_id == here and not client.closed]

    def send(self, fd: int, data: bytes) -> bool:
        return self._clients.send(fd, data)

    def close(self, fd: int) -> bool:
        client = self._clients.get(fd)
        return client is not None and self._clients.close(client)

    def exists(self, fd: int) -> bool:
        return self._clients.get(fd) is not None

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        if not (client := self._clients.get(fd)):
            return None
        return {
            "remote_ip": "127.0.0.1",
            "remote_port": 49_152 + fd % 16_384,  # of the range that clients get; RFC 6335 section 6
            "reactor_id": client.worker_id,
            "connect_time": client.connected_at,
        }

    # ── numbers ─────────────────────────────────────────────────────────────────────────────────

    def stats(self) -> Stats:
        """Return the numbers that a real server would count. Resident memory is 0 and no file is ever used."""
        tasks, clients, settings = self._tasks, self._clients, self._settings
        running = tasks.running
        return Stats(
            start_time=self._start_time,
            connection_num=len(clients.open),
            accept_count=len(clients.open) + clients.closed,
            close_count=clients.closed,
            accepts_per_s=clients.accepts.per_second,
            bytes_in=sum(clients.bytes_in),
            bytes_out=sum(clients.bytes_out),
            worker_num=settings.worker_num,
            task_worker_num=settings.task_worker_num,
            idle_task_worker_num=settings.task_worker_num - bool(running),
            tasks_submitted=tasks.submitted,
            tasks_waiting=len(tasks),
            tasks_running=1 if running else 0,
            tasks_done=tasks.done,
            tasks_done_per_s=tasks.done_lately.per_second,
            tasks_failed=tasks.failed,
            tasks_lost=tasks.lost,
            tasks_redelivered=tasks.redelivered,
            tasks_late=tasks.late,
            tasks_orphaned=0,
            queue_bytes=0,
            oldest_waiting_s=tasks.oldest_waiting_s,
            spill_files=0,
            event_workers=tuple(map(self._event_worker_stats, range(settings.worker_num))),
            task_workers=tuple(map(self._task_worker_stats, range(settings.task_worker_num))),
        )

    def _event_worker_stats(self, worker_id: int) -> EventWorkerStats:
        tasks, clients = self._tasks, self._clients
        return EventWorkerStats(
            worker_id=worker_id,
            pid=os.getpid(),
            connections=sum(each.worker_id == worker_id for each in clients.open.values()),
            requests=clients.requests[worker_id],
            bytes_in=clients.bytes_in[worker_id],
            bytes_out=clients.bytes_out[worker_id],
            tasks_waiting=tasks.waiting_at(worker_id),
            tasks_under_way=int(tasks.running is not None and tasks.running.source == worker_id),
            queue_bytes=0,
        )

    def _task_worker_stats(self, number: int) -> TaskWorkerStats:
        running = self._tasks.running
        task_id = running.id if running and running.task_worker == number else None
        return TaskWorkerStats(
            worker_id=self._settings.worker_num + number,
            pid=os.getpid(),
            state="idle" if task_id is None else "busy",
            task_id=task_id,
            since_s=None if task_id is None else 0.0,
            done=self._tasks.done_by[number],
            rss=0,
        )
