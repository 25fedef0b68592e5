"""Processes of the program's own beside the workers: real ones, killed and reloaded, and those of an inline server."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, Self

import pytest

from engine import Server, Settings, UsageError
from engine.testing import InlineServer
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, is_alive, running, start, wait_until
from tests.integration.engine.workshop import FRAMES

CONSUMER = 2
"""Its worker id, behind one event worker and one task worker."""


def consuming(server: Server) -> None:
    """What a client sends goes to the process; what that answers, to the client. Tasks send to the process, too."""
    server.on("receive", lambda server, fd, reactor_id, frame: receive(server, fd, frame[4:]))

    def receive(server: Server, fd: int, body: bytes) -> None:
        if body.startswith(b"task"):
            server.task((fd, body))
        else:
            server.send_message((fd, body), CONSUMER)

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: tuple[int, bytes]) -> None:
        server.send_message(data, CONSUMER)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        note("worker_start", worker_id)

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: Any) -> None:
        note("message", server.worker_id, src_worker_id, str(message)[:40])
        if server.worker_id == CONSUMER:
            fd, body = message
            if body == b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            server.send(fd, b"%d:%d\n" % (len(body), os.getpid()))

    @server.on("worker_error")
    def worker_error(server: Server, worker_id: int, pid: int, exit_code: int, number: int) -> None:
        note("worker_error", worker_id, exit_code, number)

    async def consume(server: Server) -> None:
        note("begins", os.getpid(), server.worker_id, server.taskworker)
        server.send_message("hello", 0)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            note("cancelled", os.getpid(), server.stopping)
            await asyncio.sleep(0.01)
            note("cleaned up", os.getpid())
            raise

    assert server.add_process("consumer", consume) == CONSUMER


def ended(server: Server) -> None:
    """A process whose target is through at once, and one that raises after a while."""
    server.on("receive", lambda *args: None)
    server.on("task", lambda *args: None)

    async def returns(server: Server) -> None:
        note("returns")

    async def raises(server: Server) -> None:
        await asyncio.sleep(0.01)
        note("raises")
        raise ValueError("the line is dead")

    server.add_process("returns", returns)
    server.add_process("raises", raises)


def broken(server: Server) -> None:
    server.on("receive", lambda *args: None)
    server.on("task", lambda *args: None)

    async def raises(server: Server) -> None:
        raise ValueError("never")

    server.add_process("broken", raises)


MANY = 1000
"""More packets than are read at once."""


def flooded(server: Server) -> None:
    """A task says much to a process that is busy with the first of it until it is told to leave."""
    server.on("receive", lambda server, fd, reactor_id, frame: server.task(None))

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: None) -> None:
        for number in range(MANY):
            server.send_message(number, CONSUMER)
        note("said all")

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: int) -> None:
        while message == 0 and not server.stopping:
            time.sleep(0.01)
        note("heard", message)

    async def consume(server: Server) -> None:
        await asyncio.Event().wait()

    server.add_process("consumer", consume)


class Asking:
    """A client that reads lines."""

    def __init__(self, server: Running) -> None:
        self._socket = server.connect()
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, body: bytes) -> None:
        self._socket.sendall(len(body).to_bytes(4, "big") + body)

    def hear(self) -> list[int]:
        """The length of what the process heard, and its pid."""
        return [int(each) for each in self._lines.readline().split(b":")]


def test_a_process_is_reached_by_event_workers_and_task_workers_and_reaches_them_and_clients(tmp_path: Path) -> None:
    with running(consuming, tmp_path, **FRAMES) as server, Asking(server) as client:
        pid = server.pid_of("consumer")
        client.send(b"direct")
        assert client.hear() == [6, pid]
        client.send(b"task " + bytes(100_000))  # by a file
        assert client.hear() == [100_005, pid]

        assert server.notes("begins") == [[pid, CONSUMER, False]]
        assert ["message", 0, CONSUMER, "hello"] in [["message", *line] for line in server.notes("message")]
        assert sorted(server.notes("worker_start")) == [[0], [1]]
        wait_until(lambda: not server.spill_files(), "no file is left")  # the task's goes once it is through


def test_a_process_that_is_killed_comes_back_and_what_was_said_to_it_is_not_lost(tmp_path: Path) -> None:
    with running(consuming, tmp_path, **FRAMES) as server, Asking(server) as client:
        old = server.pid_of("consumer")
        os.kill(old, signal.SIGSTOP)
        for _ in range(20):
            client.send(b"x" * 10_000)
        os.kill(old, signal.SIGKILL)

        heard = [client.hear() for _ in range(20)]

        (new,) = {pid for _, pid in heard}
        assert new != old
        assert {length for length, _ in heard} == {10_000}
        assert server.notes("worker_error") == [[CONSUMER, 0, signal.SIGKILL]]
        assert len(server.notes("begins")) == 2


def test_a_message_that_kills_is_given_up_and_the_next_one_is_heard(tmp_path: Path) -> None:
    with running(consuming, tmp_path, task_max_attempts=2, **FRAMES) as server, Asking(server) as client:
        server.pid_of("consumer")
        client.send(b"die")
        client.send(b"next")

        assert client.hear()[0] == 4
        assert len(server.notes("begins")) == 3


def test_a_reload_ends_the_old_process_before_the_new_one_begins(tmp_path: Path) -> None:
    with running(consuming, tmp_path, **FRAMES) as server:
        old, worker = server.pid_of("consumer"), server.pid_of("worker 0")
        server.send_signal(signal.SIGUSR1)
        server.wait_for_notes("begins", 2)
        new = server.notes("begins")[1][0]

        order = [line for line in server._lines("notes") if line[0] in ("begins", "cancelled", "cleaned up")]
        assert [line[:2] for line in order[:4]] == [
            ["begins", old], ["cancelled", old], ["cleaned up", old], ["begins", new],
        ]  # fmt: skip
        wait_until(lambda: not is_alive(worker), "the old event worker is gone, which would let go of whoever is quiet")
        with Asking(server) as client:
            client.send(b"after")
            assert client.hear() == [5, new]
        assert server.notes("worker_error") == []


def test_a_reload_of_task_workers_leaves_a_process_alone(tmp_path: Path) -> None:
    with running(consuming, tmp_path, **FRAMES) as server:
        server.pid_of("consumer")
        server.send_signal(signal.SIGUSR2)
        server.wait_for_notes("worker_start", 3)

        assert len(server.notes("begins")) == 1
        assert server.notes("cancelled") == []


def test_at_the_stop_a_process_hears_the_last_words_of_task_workers_and_is_cancelled(tmp_path: Path) -> None:
    with running(consuming, tmp_path, **FRAMES) as server:
        pid = server.pid_of("consumer")
        with Asking(server) as client:
            client.send(b"task last")
            assert client.hear() == [9, pid]

            assert server.stop() == 0

        assert server.notes("cancelled") == [[pid, True]]
        assert server.notes("cleaned up") == [[pid]]


def test_at_the_stop_a_process_hears_a_flood_of_last_words_to_its_end(tmp_path: Path) -> None:
    with running(flooded, tmp_path, max_wait_time=30, **FRAMES) as server:
        with Asking(server) as client:
            client.send(b"go")
            server.wait_for_notes("said all", 1)

        assert server.stop() == 0

        assert [number for (number,) in server.notes("heard")] == list(range(MANY))


def test_a_process_that_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    with running(ended, tmp_path) as server:
        server.errors_are_fine = True
        server.wait_for_notes("returns", 3)
        server.wait_for_notes("raises", 3)

        lines = server.log("user process ended by an error")
        assert lines
        assert "the line is dead" in lines[0]["trace"]
        assert lines[0]["title"] == "raises"


def test_a_process_that_cannot_begin_keeps_the_server_from_starting(tmp_path: Path) -> None:
    server = start(broken, tmp_path)
    try:
        assert server.exit_status() == 3
        assert any("broken" in line["said"] for line in server.log("server stopped"))
    finally:
        server.process.kill()


def test_what_cannot_be_a_process_is_refused_at_once() -> None:
    server = Server("127.0.0.1", 0, Settings(worker_num=1))

    async def fine(server: Server) -> None: ...

    server.add_process("one", fine)
    for name, target in (("one", fine), ("", fine), ("a\nb", fine), (7, fine), ("two", print), ("two", None)):
        with pytest.raises(UsageError):
            server.add_process(name, target)  # type: ignore[arg-type]


def test_an_inline_server_runs_a_process_and_its_messages() -> None:
    server = Server("127.0.0.1", 0, Settings(worker_num=1, task_worker_num=1))
    calls: list[Any] = []
    server.on("task", lambda *args: None)
    server.on("receive", lambda server, fd, reactor_id, data: server.send_message((fd, data), CONSUMER))

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: tuple[int, bytes]) -> None:
        calls.append((server.worker_id, src_worker_id, server.taskworker))
        server.send(message[0], message[1].upper())

    async def consume(server: Server) -> None:
        calls.append(("begins", server.worker_id))
        with pytest.raises(UsageError, match="only event workers"):
            assert server.connections
        with pytest.raises(UsageError, match="cannot be called"):
            server.task("x")
        try:
            await asyncio.sleep(10_000)
        finally:
            calls.append("cancelled")

    server.add_process("consumer", consume)

    with InlineServer(server) as inline:
        client = inline.connect()
        client.send(b"hello")
        assert client.received == b"HELLO"
    assert calls == [("begins", CONSUMER), (CONSUMER, 0, False), "cancelled"]
