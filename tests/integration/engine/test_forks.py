"""What a callback forks has signals of its own, and does not disturb those of its parent."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from engine import Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running

fork = multiprocessing.get_context("fork")


def sleep() -> None:
    time.sleep(60)


def fork_and_terminate(server: Server) -> None:
    """Notes how each child ended: at once after its start, and once it has begun."""
    ends = []
    for wait_s in [0.0] * 10 + [0.2]:
        child = fork.Process(target=sleep)
        child.start()
        time.sleep(wait_s)
        child.terminate()
        child.join(60)
        ends.append(child.exitcode)
        child.kill()
        child.join()
    note("ends", os.getpid(), ends)


def forker(server: Server) -> None:
    """Each frame is the place where to fork."""

    @server.on("before_reload")
    def before_reload(server: Server) -> None:
        fork_and_terminate(server)

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        if data == b"here":
            fork_and_terminate(server)
        elif data == b"reload":
            server.reload(only_task_workers=True)
        else:
            server.task(data.decode())

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: str) -> None:
        fork_and_terminate(server)
        note("stopping", server.stopping)


def async_forker(server: Server) -> None:
    forker(server)

    @server.on("task")
    async def task(server: Server, task_id: int, src_worker_id: int, data: str) -> None:
        fork_and_terminate(server)
        note("stopping", server.stopping)


def say(server: Running, what: bytes) -> None:
    with server.connect() as client:
        client.sendall(what)


@pytest.mark.parametrize(
    ("program", "what", "title"),
    [
        (forker, b"reload", "manager"),
        (forker, b"here", "worker 0"),
        (forker, b"fork", "task worker 0"),
        (async_forker, b"fork", "task worker 0"),
    ],
    ids=["manager", "event worker", "task worker", "coroutine worker"],
)
def test_a_child_that_a_callback_forks_ends_when_it_is_terminated_and_its_parent_goes_on(
    tmp_path: Path, program: Any, what: bytes, title: str
) -> None:
    settings = {"task_enable_coroutine": program is async_forker}
    with running(program, tmp_path / "server", **settings) as server:
        pid = server.pid_of(title)

        say(server, what)

        assert server.wait_for_notes("ends") == [[pid, [-signal.SIGTERM] * 11]]
        if what == b"fork":
            assert server.wait_for_notes("stopping") == [[False]]
        say(server, b"here")
        server.wait_for_notes("ends", 2)
        assert (title, pid) in server.family()  # beside a child that has the title of its parent for a moment
        assert what == b"reload" or server.log("child left") == []


def test_what_a_handler_starts_does_not_mind_ctrl_c_nor_a_reload_of_the_whole_group(tmp_path: Path) -> None:
    with running(ignoring, tmp_path / "server") as server:
        say(server, b"x")

        (ignored,) = server.wait_for_notes("ignored")[0]
        wanted = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
        assert all(int(ignored, 16) >> (number - 1) & 1 for number in wanted)
        assert not int(ignored, 16) >> (signal.SIGTERM - 1) & 1


def ignoring(server: Server) -> None:
    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        server.task(data.decode())

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: str) -> None:
        status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        note("ignored", next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")))
