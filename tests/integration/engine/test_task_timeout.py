"""task_timeout_s: a task that takes too long ends, and nothing else does."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server, TaskTimeout
from engine.ipc import task_limit
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.test_queues import queue_of
from tests.integration.engine.workshop import FRAMES, Answer, Desk, async_workshop, workshop
from tests.ports import free_port

LIMIT_S = 2.0
"""On a busy machine a quick task may be held up for a second."""
LONG_S = 60.0


@contextmanager
def limited(directory: Path, program: Any = workshop, **settings: Any) -> Iterator[Running]:
    """`task_max_attempts` is 1: whatever is begun a second time, or blamed for a kill, would be lost."""
    usual: dict[str, Any] = {"task_timeout_s": LIMIT_S, "task_max_attempts": 1, **FRAMES}
    with running(program, directory, **usual | settings) as server:
        server.errors_are_fine = True
        yield server


def check_timed_out(answer: Answer) -> None:
    assert answer.kind == "task_error"
    assert isinstance(answer.value, TaskTimeout)
    assert (answer.value.task_id, answer.value.timeout_s) == (answer.task_id, LIMIT_S)
    assert str(answer.value) == f"task {answer.task_id} was not done within 2 s"


@pytest.mark.parametrize("mode", [IpcMode.SOCKET, IpcMode.QUEUE], ids=["socket", "queue"])
def test_a_task_that_takes_too_long_ends_once_and_those_beside_it_are_done(tmp_path: Path, mode: IpcMode) -> None:
    with limited(tmp_path / "server", task_ipc_mode=mode) as server, Desk(server) as desk:
        pid = server.pid_of("task worker 0")
        before = [desk.ask("echo", number, 0) for number in range(3)]
        long = desk.ask("sleep", LONG_S, 0)
        after = [desk.ask("echo", number, 0) for number in range(3)]

        check_timed_out(desk.answer(long))
        assert [desk.answer(number).value for number in before + after] == [0, 1, 2, 0, 1, 2]

        assert server.pid_of("task worker 0") != pid
        assert len([task_id for task_id, *_ in server.notes("task")]) == 7
        stats = desk.stats()
        assert (stats["tasks_done"], stats["tasks_failed"], stats["tasks_lost"]) == (6, 1, 0)
        (line,) = server.log("task took too long, task worker killed")
        assert (line["level"], line["pid"], line["slot"], line["task_id"]) == ("ERROR", pid, 1, 3)


def test_a_body_in_a_file_goes_with_the_task_that_took_too_long(tmp_path: Path) -> None:
    def is_empty() -> bool:
        return server.spill_files() == []

    with limited(tmp_path / "server") as server, Desk(server) as desk:
        check_timed_out(desk.do("sleep long", "x" * 100_000))
        wait_until(is_empty, "the file is gone")


def waits(server: Server) -> None:
    """A frame is waited for as a task."""

    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        try:
            await server.task_wait(frame, timeout=30)
        except TaskTimeout as error:
            server.send(fd, repr(error).encode() + b"\n")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> None:
        time.sleep(LONG_S)


def test_who_waits_for_it_hears_of_the_limit(tmp_path: Path) -> None:
    settings = {"open_length_check": False, "open_eof_split": True}
    with limited(tmp_path, waits, **settings) as server, server.client() as client:
        client.send(b"now\r\n")
        assert client.read_line() == "TaskTimeout(0, 2.0)"


def test_tasks_within_the_limit_are_left_alone_however_many_come(tmp_path: Path) -> None:
    with limited(tmp_path, worker_num=2, task_worker_num=2) as server, Desk(server) as desk:
        pids = {server.pid_of(f"task worker {number}") for number in (0, 1)}
        until = time.monotonic() + 1.5 * LIMIT_S
        while time.monotonic() < until:
            for asked in [desk.ask("echo", number) for number in range(200)]:
                assert desk.answer(asked).kind == "finish"
            desk.do("sleep", LIMIT_S / 20)

        assert {server.pid_of(f"task worker {number}") for number in (0, 1)} == pids
        assert server.log("took too long") == []


# ── coroutines ──────────────────────────────────────────────────────────────────────────────────


def patient_manager(server: Server) -> None:
    """However slow the machine is, a task worker gets to cancel a task itself."""
    task_limit.GRACE_S = 60.0
    async_workshop(server)


def test_a_coroutine_is_cancelled_and_its_worker_lives_on(tmp_path: Path) -> None:
    with limited(tmp_path, patient_manager, task_enable_coroutine=True) as server, Desk(server) as desk:
        pid = server.pid_of("task worker 0")
        long = desk.ask("rest", LONG_S)
        assert desk.do("echo", 1).value == 1

        check_timed_out(desk.answer(long))
        assert desk.do("echo", 2).value == 2
        assert server.pid_of("task worker 0") == pid
        assert [line["task_id"] for line in server.log("task took too long, cancelled")] == [0]
        assert (desk.stats()["tasks_done"], desk.stats()["tasks_failed"]) == (2, 1)


@pytest.mark.parametrize("verb", ["sleep", "rest on"], ids=["blocks", "will not be cancelled"])
def test_a_coroutine_that_cannot_be_cancelled_is_killed_and_those_beside_it_are_done_again(
    tmp_path: Path, verb: str
) -> None:
    with limited(tmp_path / "server", async_workshop, task_enable_coroutine=True) as server, Desk(server) as desk:
        pid = server.pid_of("task worker 0")
        long = desk.ask(verb, LONG_S)
        wait_until(lambda: server.notes("task"), "it begins")
        beside = [desk.ask("echo", number) for number in range(3)]

        check_timed_out(desk.answer(long))
        assert [desk.answer(number).value for number in beside] == [0, 1, 2]
        assert server.pid_of("task worker 0") != pid
        assert (desk.stats()["tasks_failed"], desk.stats()["tasks_lost"]) == (1, 0)


# ── while other things happen ───────────────────────────────────────────────────────────────────


def test_a_worker_that_a_reload_sent_away_is_held_to_the_limit(tmp_path: Path) -> None:
    with limited(tmp_path / "server", max_wait_time=0) as server, Desk(server) as desk:
        pid = server.pid_of("task worker 0")
        long = desk.ask("sleep", LONG_S)
        wait_until(lambda: server.notes("task"), "it begins")
        server.send_signal(signal.SIGUSR2)
        wait_until(lambda: server.log("child told to leave"), "the reload")
        assert desk.do("echo", 1).value == 1  # by the new one

        check_timed_out(desk.answer(long))
        assert [line["pid"] for line in server.log("task took too long, task worker killed")] == [pid]


def test_a_stop_without_a_limit_waits_for_a_task_no_longer_than_it_may_take(tmp_path: Path) -> None:
    with limited(tmp_path / "server", max_wait_time=0, task_timeout_s=1) as server:
        with Desk(server) as desk:
            desk.ask("sleep", LONG_S)
            wait_until(lambda: server.notes("task"), "it begins")
            assert server.stop() == 0

        assert [line["task_id"] for line in server.log("task took too long, task worker killed")] == [0]


def begins_slowly(server: Server) -> None:
    """Every task worker but the first waits for a file at its start."""
    workshop(server)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        first, gate = Path(os.environ["FIRST"]), Path(os.environ["GATE"])
        if server.taskworker and first.exists():
            wait_until(gate.exists, "the gate", 30)
        if server.taskworker:
            first.touch()


def test_that_a_task_had_its_time_is_known_after_the_death_of_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, key, port = tmp_path / "gate", random.randrange(1, 2**31), free_port()
    monkeypatch.setenv("FIRST", str(tmp_path / "first"))
    monkeypatch.setenv("GATE", str(gate))
    settings = {"task_ipc_mode": IpcMode.QUEUE, "message_queue_key": key, "port": port}
    with limited(tmp_path / "server", begins_slowly, **settings) as server, Desk(server) as desk:
        desk.ask("sleep", LONG_S)
        wait_until(lambda: server.log("task took too long"), "it is killed")
        server.kill_all()

    gate.touch()
    with limited(tmp_path / "server", begins_slowly, **settings) as server:
        assert server.wait_for_notes("task_error") == [[0, "TaskTimeout"]]
        assert len(server.notes("task")) == 1
    assert queue_of(key) is None
