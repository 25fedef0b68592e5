"""Task round trips inside an event worker: so many tasks outstanding, one more for each that came back."""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.serving import ask
from engine import IpcMode, Server

LARGE_BYTES = 1_000_000
"""A payload above it is a file, and is measured for longer: there are few in a second."""
_QUEUE_BYTES = 2**31
"""64 payloads of 10 MB may wait."""


def answer(data: bytes) -> bytes:
    """What every worker does with a payload, ours and those beside it."""
    return b"%d" % len(data)


def window_s(seconds: float, payload_bytes: int) -> float:
    return seconds * 3 if payload_bytes > LARGE_BYTES else seconds


def measure(mode: int, task_workers: int, placement: str, loads: list[list[int]], seconds: float) -> Any:
    """For each load of [payload bytes, outstanding]: [round trips a second, median and 99th percentile of µs, µs of CPU
    that one took in the event worker, and in task workers]."""

    async def work(server: Server) -> list[list[float]]:
        await asyncio.sleep(0.05)  # until it accepts clients, too
        return [await Load(server, *load).measure(window_s(seconds, load[0])) for load in loads]

    return ask(
        work,
        lambda server, task_id, source, data: answer(data),
        placement,
        task_worker_num=task_workers,
        task_ipc_mode=IpcMode(mode),
        task_queue_max_bytes=_QUEUE_BYTES,
    )


class Load:
    """Keeps so many tasks outstanding, and counts or times those that come back."""

    def __init__(self, server: Server, payload_bytes: int, outstanding: int) -> None:
        self._server = server
        self._payload = bytes(payload_bytes)
        self._outstanding = outstanding
        self._done = 0
        self._began: dict[int, int] = {}
        self._took_ns: list[int] = []
        self._callback: Callable[[Server, int, bytes], None] = self._count
        self._is_empty = asyncio.Event()

    async def measure(self, seconds: float) -> list[float]:
        """Warm up, count, then time: reading the clock for each task would slow the counting."""
        for _ in range(self._outstanding):
            self._server.task(self._payload, -1, self._callback)
        await asyncio.sleep(seconds / 2)
        pids = [each.pid for each in self._server.stats().task_workers]
        before, began, cpu_before = self._done, time.perf_counter(), cpu_us(pids)
        await asyncio.sleep(seconds)
        done, cpu = self._done - before, cpu_us(pids)
        per_second = done / (time.perf_counter() - began)
        costs = [(now - then) / max(1, done) for now, then in zip(cpu, cpu_before, strict=True)]
        self._callback = self._time
        await asyncio.sleep(seconds)
        self._callback = self._let_run_dry
        await self._is_empty.wait()
        return [per_second, *(ns / 1000 for ns in percentiles(self._took_ns)), *costs]

    def _count(self, server: Server, task_id: int, result: bytes) -> None:
        self._done += 1
        server.task(self._payload, -1, self._callback)

    def _time(self, server: Server, task_id: int, result: bytes) -> None:
        if began := self._began.pop(task_id, 0):
            self._took_ns.append(time.perf_counter_ns() - began)
        began = time.perf_counter_ns()
        self._began[server.task(self._payload, -1, self._callback)] = began

    def _let_run_dry(self, server: Server, task_id: int, result: bytes) -> None:
        self._outstanding -= 1
        if not self._outstanding:
            self._is_empty.set()


def cpu_us(pids: list[int]) -> tuple[float, float]:
    """CPU time used by this process, and by those together; of others by clock_getcpuclockid(3), which Python lacks."""
    return time.process_time() * 1e6, sum(time.clock_gettime(~pid << 3 | 2) for pid in pids) * 1e6


def percentiles(took_ns: list[int]) -> tuple[float, float]:
    """Median and 99th percentile; zeros when nothing came back in time."""
    if len(took_ns) < 2:
        return (float(sum(took_ns)),) * 2
    return statistics.median(took_ns), statistics.quantiles(took_ns, n=100, method="inclusive")[98]
