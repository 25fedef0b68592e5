"""A loop that a task runs of its own does not keep its task worker from hearing of signals."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import uvloop

from engine import Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, is_alive, running, wait_until

LOOPS = {"uvloop": uvloop.run, "asyncio": asyncio.run}


def looper(server: Server) -> None:
    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        server.task(data.decode())

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: str) -> str:
        name, _, part = data.partition(" ")
        LOOPS[name](short_loop() if part == "short" else wait_for_the_end(server))
        return data

    @server.on("finish")
    def finish(server: Server, task_id: int, result: str) -> None:
        note("finish")


async def short_loop() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, lambda: None)
    await asyncio.sleep(0)


async def wait_for_the_end(server: Server) -> None:
    """A loop that minds signals of its own, as one does that runs programs."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, lambda: None)
    note("in a loop")
    async with asyncio.timeout(60):
        while not server.stopping:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.005)
    note("told to stop")


def say(server: Running, what: bytes) -> None:
    with server.connect() as client:
        client.sendall(what)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_that_runs_a_loop_of_its_own_hears_of_the_stop(tmp_path: Path, loop: str) -> None:
    with running(looper, tmp_path / "server", max_wait_time=20) as server:
        say(server, loop.encode())
        server.wait_for_notes("in a loop")

        assert server.stop() == 0
        assert server.notes("told to stop") == [[]]
        assert server.log("killed") == []


@pytest.mark.parametrize("loop", LOOPS)
def test_an_idle_task_worker_hears_of_the_stop_after_a_loop_in_a_task(tmp_path: Path, loop: str) -> None:
    with running(looper, tmp_path / "server", max_wait_time=20) as server:
        say(server, f"{loop} short".encode())
        server.wait_for_notes("finish")
        pid = server.pid_of("task worker 0")

        os.kill(pid, signal.SIGTERM)

        wait_until(lambda: not is_alive(pid), "the task worker left")
