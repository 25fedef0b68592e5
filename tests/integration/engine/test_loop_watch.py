"""An event loop that a callback holds up says so, and by which."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine import Server
from engine.worker import loop_watch
from tests.integration.engine.servers import Running, running, wait_until

GATE_S = 60


def wait_for_gate() -> None:
    """Hold whoever calls, here at every moment, and not in what `Path` calls."""
    gate, until = os.environ["GATE"], time.monotonic() + GATE_S
    while not os.access(gate, os.F_OK):
        assert time.monotonic() < until
        time.sleep(0.005)


def held(server: Server) -> None:
    """Holds its loop up where a client says."""

    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        await asyncio.sleep(0)
        if data == b"later":
            server.after(1, hold_in_timer)
        elif data == b"now":
            wait_for_gate()
        elif data == b"rest":
            await asyncio.sleep(1.5)
        server.send(fd, b"through\n")

    def hold_in_timer() -> None:
        wait_for_gate()

    async def beside(server: Server) -> None:
        await asyncio.sleep(0.1)
        if "HOLDS" in os.environ:
            wait_for_gate()
        await asyncio.Event().wait()

    server.add_process("beside", beside)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATE", str(tmp_path / "gate"))
    return tmp_path / "gate"


def line_about(server: Running) -> dict[str, Any]:
    """But for a process that did not get to run, which has no callback to name."""
    (line,) = wait_until(lambda: [line for line in server.log("event loop is held up") if "callback" in line], "a line")
    return line


@pytest.mark.parametrize(
    ("said", "callback"), [("now", "held.<locals>.receive"), ("later", "held.<locals>.hold_in_timer")]
)
def test_a_callback_that_holds_the_loop_is_named_while_it_does(
    tmp_path: Path, gate: Path, said: str, callback: str
) -> None:
    with running(held, tmp_path / "server", task_worker_num=0) as server, server.client() as client:
        client.send_raw(said.encode())
        line = line_about(server)
        gate.touch()

        assert client.read_line() == "through"
        assert (line["level"], line["callback"], line["held_s"]) == ("WARNING", callback, 1.0)
        assert "test_loop_watch.py:" in line["where"]


def test_a_process_of_the_program_is_watched_too(tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDS", "1")
    with running(held, tmp_path / "server", task_worker_num=0) as server:
        line = line_about(server)
        gate.touch()

        assert line["callback"] == "held.<locals>.beside"


def held_patiently(server: Server) -> None:
    """However slow the machine is, who stood still gets to go on."""
    loop_watch._SECOND_LOOK_S = 30.0
    held(server)


def test_who_waits_in_good_manner_or_stands_still_as_a_whole_is_not_named(tmp_path: Path, gate: Path) -> None:
    with running(held_patiently, tmp_path / "server", task_worker_num=0) as server, server.client() as client:
        client.send_raw(b"rest")
        assert client.read_line() == "through"
        pid = server.pid_of("worker 0")
        os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(2)
        os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        client.send_raw(b"rest")
        assert client.read_line() == "through"

        assert time.monotonic() - began > 1
        assert server.log("event loop is held up") == []
