"""The server that the chaos test does things to: its frames are numbers, each of them a task."""

import asyncio
import multiprocessing
import os
import struct
import time
from dataclasses import asdict

from engine import Server
from tests.integration.engine.inside import note

LARGE = b"y" * 20_000
"""Travels in a file, and so does its result."""
_FORKED_LIVES_S = 0.1
"""Longer, and a process of a killed worker's would still be there at the end."""


def numbers(server: Server) -> None:
    """A frame is number u32 and a body; the answer is the number, once its task is submitted.

    A body may say what else its task does: `!long` and milliseconds, `!fork`, `!os.fork`, `!shout`.
    """

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        if frame[4:] == b"stats":
            note("stats", asdict(server.stats()))
            return
        server.task(frame[4:])
        server.send(fd, frame[4:8])

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        time.sleep(_rest_s(data))
        _do(server, data)
        return data

    @server.on("finish")
    def finish(server: Server, task_id: int, data: bytes) -> None:
        note("finish", _number_of(data))

    @server.on("task_error")
    def task_error(server: Server, task_id: int, error: Exception) -> None:
        note("task_error", task_id, str(error))

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: bytes) -> None:
        pass


def async_numbers(server: Server) -> None:
    """The same, with many tasks at once in a task worker."""
    numbers(server)

    @server.on("task")
    async def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        await asyncio.sleep(_rest_s(data))
        _do(server, data)
        return data


def _number_of(data: bytes) -> int:
    return int(struct.unpack_from(">I", data)[0])


def _rest_s(data: bytes) -> float:
    if data[4:].startswith(b"!long"):
        return int(data[9:]) / 1000
    number = _number_of(data)
    if number % 20 == 0:
        return 0.01
    return 0.002 if number // 200 % 2 else 0  # some travel many in a packet, of the others one or two


def _do(server: Server, data: bytes) -> None:
    match data[4:]:
        case b"!fork":
            _fork_and_terminate()
        case b"!os.fork":
            _fork_and_wait()
        case b"!shout":
            _shout(server)
    note("done", _number_of(data))


def _fork_and_terminate() -> None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(_FORKED_LIVES_S,))
    child.start()
    child.terminate()
    child.join()


def _fork_and_wait() -> None:
    if (pid := os.fork()) == 0:
        time.sleep(_FORKED_LIVES_S / 2)
        os._exit(0)
    os.waitpid(pid, 0)


def _shout(server: Server) -> None:
    """More than an inbox holds, to every event worker, some of it in files."""
    for _ in range(60):
        for worker_id in range(server.settings.worker_num):
            server.send_message(b"x" * 6_000, worker_id)
    server.send_message(LARGE, 0)
