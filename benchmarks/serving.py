"""Servers to measure: real ones, in processes of their own."""

import asyncio
import json
import logging
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.processes import Placement, Unavailable, forked, settle
from engine import Server, Settings


def ask(work: Callable[[Server], Awaitable[Any]], task: Callable[..., Any], placement: str, **settings: Any) -> Any:
    """Start a server of one event worker, await `work(server)` in it, stop; what `work` gave, as JSON has it."""
    hear, tell = os.pipe()

    async def at_work(server: Server) -> None:
        try:
            os.write(tell, json.dumps(await work(server)).encode())
        finally:
            os.kill(server.master_pid, signal.SIGTERM)

    def begin(server: Server, worker_id: int) -> None:
        settle(Placement(placement), worker_id)
        if not server.taskworker:
            # the loop alone would not keep it from being collected
            running.append(asyncio.get_running_loop().create_task(at_work(server)))

    running: list[asyncio.Task[None]] = []
    with private_directory() as tmpdir:
        server = Server("127.0.0.1", 0, Settings(worker_num=1, task_tmpdir=tmpdir, **settings))
        server.on("receive", lambda *_: None)
        server.on("worker_start", begin)
        server.on("task", task)
        server.on("task_error", lambda server, task_id, error: os.kill(server.master_pid, signal.SIGTERM))
        _start(server)
    os.close(tell)
    with open(hear, "rb") as answer:
        found = answer.read()
    if not found:
        raise RuntimeError("the event worker stopped before it had measured")
    return json.loads(found)


@contextmanager
def serving(program: Callable[[Server], None], **settings: Any) -> Iterator[int]:
    """The port of a server that answers while the block runs."""

    def main(tell: int) -> None:
        with private_directory() as tmpdir:
            server = Server("127.0.0.1", 0, Settings(task_tmpdir=tmpdir, **settings))
            server.on("start", lambda server: os.write(tell, f"{server.port}\n".encode()))
            program(server)
            _start(server)

    with forked(main) as (_, hear):
        yield int(os.read(hear, 16) or b"0") or _give_up()


def _give_up() -> int:
    raise RuntimeError("the server did not start")


def _start(server: Server) -> None:
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(message)s")
    try:
        server.start()
    except SystemExit as leaving:
        raise Unavailable(f"the server ended with exit code {leaving.code}") from leaving


@contextmanager
def private_directory() -> Iterator[str]:
    """For spill files, and for the floor that writes what they hold; mode 0700."""
    with tempfile.TemporaryDirectory() as directory:
        yield directory
