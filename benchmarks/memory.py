"""What an event worker holds while tasks wait: proportional set size before and after."""

import time
from collections import deque
from typing import Any

import psutil

from benchmarks.processes import Placement
from benchmarks.serving import ask
from engine import Server, TaskQueueFull


def engine(payload_bytes: int, tasks: int, limit_bytes: int) -> Any:
    """[tasks taken, bytes more than before] with one task worker that is busy for good."""

    async def work(server: Server) -> list[int]:
        before, taken = _pss(), 0
        try:
            for taken in range(1, tasks + 1):
                server.task(_payload(payload_bytes, taken), -1, _no_matter)
        except TaskQueueFull:
            taken -= 1
        return [taken, _pss() - before]

    def task(server: Server, task_id: int, source: int, data: bytes) -> None:
        while not server.stopping:
            time.sleep(0.02)

    return ask(work, task, Placement.FREE, task_worker_num=1, task_queue_max_bytes=limit_bytes, max_wait_time=1)


def floor(payload_bytes: int, tasks: int, limit_bytes: int) -> Any:
    """The same for a deque of payloads and callbacks, as many bytes of them as the limit allows."""
    before = _pss()
    taken = min(tasks, limit_bytes // payload_bytes)
    waiting = deque((_payload(payload_bytes, number), _no_matter) for number in range(taken))
    return [len(waiting), _pss() - before]


def _payload(size_bytes: int, number: int) -> bytes:
    """Each one is an object of its own, as it would be with clients."""
    return number.to_bytes(8) + bytes(size_bytes - 8)


def _no_matter(server: Server, task_id: int, result: bytes) -> None:
    """The callback of a task that does not end."""


def _pss() -> int:
    return int(psutil.Process().memory_full_info().pss)
