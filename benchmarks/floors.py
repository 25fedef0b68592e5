"""What task round trips stand beside: the least that two processes can do, and the standard library's pools."""

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.processes import Placement, die_with_parent, forked, settle
from benchmarks.roundtrips import LARGE_BYTES, answer, window_s
from benchmarks.serving import private_directory

_SOCKET_BYTES = 1024 * 1024
"""As the engine asks for; the kernel gives what net.core.wmem_max allows."""


def floor(placement: str, loads: list[list[int]], seconds: float) -> Any:
    """Round trips a second for each load of [payload bytes, outstanding]: datagrams, or files for a large payload."""
    return [
        files(payload_bytes, window_s(seconds, payload_bytes))
        if payload_bytes > LARGE_BYTES
        else datagrams(Placement(placement), payload_bytes, outstanding, seconds)
        for payload_bytes, outstanding in loads
    ]


def datagrams(placement: Placement, payload_bytes: int, outstanding: int, seconds: float) -> float:
    """One datagram each way for a task, so many under way, between two processes that do nothing else."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for each in (here, there):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)

    def work(_: int) -> None:
        settle(placement, 1)
        receive, send = there.recv, there.send
        while True:
            send(answer(receive(65536)))

    def measure(tell: int) -> None:
        settle(placement, 0)
        receive, send, clock, payload = here.recv, here.send, time.perf_counter, bytes(payload_bytes)
        for _ in range(outstanding):
            send(payload)
        rate = 0.0
        for window in (seconds / 2, seconds):  # the first one warms up
            count, began = 0, clock()
            while clock() < began + window:
                for _ in range(32):
                    receive(100)
                    send(payload)
                count += 32
            rate = count / (clock() - began)
        os.write(tell, f"{rate}\n".encode())

    # forked, too: who asks is pinned for this measurement alone
    with here, there, forked(work), forked(measure) as (_, hear):
        return float(os.read(hear, 100))


def files(size_bytes: int, seconds: float) -> float:
    """A file of that size written, read and removed, where the engine would write it; how often a second."""
    with private_directory() as directory:
        file, body, count, began = Path(directory, "floor"), bytes(size_bytes), 0, time.perf_counter()
        while time.perf_counter() < began + seconds:
            file.write_bytes(body)
            answer(file.read_bytes())
            file.unlink()
            count += 1
        return count / (time.perf_counter() - began)


def pool(loads: list[list[int]], seconds: float) -> Any:
    """The same loads through multiprocessing.Pool.apply_async, one worker, a core each."""
    with multiprocessing.get_context("fork").Pool(1, initializer=_begin) as workers:
        settle(Placement.APART, 0)
        return [
            _keep_busy(lambda data, done: workers.apply_async(answer, (data,), callback=done), load, seconds)
            for load in loads
        ]


def executor(loads: list[list[int]], seconds: float) -> Any:
    """The same loads through ProcessPoolExecutor.submit, one worker, a core each."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as workers:
        workers.submit(answer, b"").result()  # its process is there, and was not pinned with us
        settle(Placement.APART, 0)
        return [
            _keep_busy(lambda data, done: workers.submit(answer, data).add_done_callback(done), load, seconds)
            for load in loads
        ]


def _begin() -> None:
    die_with_parent()
    settle(Placement.APART, 1)


def _keep_busy(submit: Callable[[bytes, Callable[[Any], None]], object], load: list[int], seconds: float) -> float:
    """Round trips a second with so many outstanding; what comes back lets the next one go."""
    payload, outstanding = bytes(load[0]), load[1]
    room = threading.Semaphore(outstanding)
    rate = 0.0
    for window in (seconds / 2, window_s(seconds, load[0])):
        count, began = 0, time.perf_counter()
        while time.perf_counter() < began + window:
            room.acquire()
            submit(payload, lambda _: room.release())
            count += 1
        rate = count / (time.perf_counter() - began)
    for _ in range(outstanding):
        room.acquire()
    return rate
