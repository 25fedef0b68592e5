"""System V queues between real processes: what they hold, who may use them, and what survives the server."""

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sysv_ipc

from engine import IpcMode, Server
from tests.integration.engine.servers import Running, running, start, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop
from tests.queues import queue_of

QUEUES = [IpcMode.QUEUE, IpcMode.PREEMPTIVE]
LARGE = "x" * 100_000


@pytest.fixture
def key() -> Iterator[int]:
    """A key that no queue has; its queue is gone afterwards."""
    number = int.from_bytes(os.urandom(3)) + 1
    yield number
    if queue := queue_of(number):
        queue.remove()


def private_key(server: Running) -> int:
    """The key of the queue that this server made for itself."""
    return int((server.spill / "queue").read_text())


@pytest.fixture(params=QUEUES, ids=lambda mode: mode.name.lower())
def mode(request: pytest.FixtureRequest) -> IpcMode:
    return IpcMode(request.param)


def test_a_queue_with_a_key_is_for_us_alone_and_gone_once_nothing_is_in_it(
    tmp_path: Path, mode: IpcMode, key: int
) -> None:
    with running(workshop, tmp_path, task_ipc_mode=mode, message_queue_key=key, **FRAMES) as server:
        queue = queue_of(key)
        with Desk(server) as desk:
            assert desk.do("echo", "hello").value == "hello"

        assert queue is not None
        assert stat.S_IMODE(queue.mode) == 0o600
        for file in server.spill.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        (line,) = server.log("System V queue opened")
        assert line["holds_bytes"] == queue.max_size
    assert queue_of(key) is None


def test_a_private_queue_is_removed_at_the_end_and_after_a_kill_by_the_next_start(
    tmp_path: Path, mode: IpcMode
) -> None:
    with running(workshop, tmp_path, task_ipc_mode=mode, **FRAMES) as server:
        killed = private_key(server)
        server.kill_all()
    assert queue_of(killed) is not None

    with running(workshop, tmp_path, task_ipc_mode=mode, **FRAMES) as server, Desk(server) as desk:
        assert desk.do("echo", 1).value == 1
        last = private_key(server)
        assert queue_of(last) is not None
        assert queue_of(killed) is None

    assert queue_of(last) is None


@pytest.mark.parametrize("whose", ["another mode", "another user"])
def test_a_queue_that_others_may_write_to_is_refused(tmp_path: Path, key: int, whose: str) -> None:
    queue = sysv_ipc.MessageQueue(key, sysv_ipc.IPC_CREX, mode=0o666 if whose == "another mode" else 0o600)
    if whose == "another user":
        if os.geteuid():
            pytest.skip("only root can give a queue away")
        queue.uid = 12345

    server = start(workshop, tmp_path, task_ipc_mode=2, message_queue_key=key, **FRAMES)

    assert server.exit_status() != 0
    assert "must be ours with mode 0600" in server.stderr()


def test_two_servers_do_not_share_a_key(tmp_path: Path, key: int) -> None:
    settings: dict[str, Any] = {"task_ipc_mode": 2, "message_queue_key": key, **FRAMES}
    with running(workshop, tmp_path / "one", **settings):
        second = start(workshop, tmp_path / "two", **settings)

        assert second.exit_status() != 0
        assert "in use by another running server" in second.stderr()


# ── what survives ───────────────────────────────────────────────────────────────────────────────


def lay_up(server: Running, gate: Path, count: int) -> None:
    """Two task workers in a long task each, and `count` tasks behind: in hand, in the queue, and waiting."""
    with Desk(server) as desk:
        for _ in range(2):
            desk.ask("wait for file", str(gate))
        wait_until(lambda: desk.stats()["tasks_running"] == 2, "both are at work")
        for number in range(count):
            desk.ask("echo", LARGE if number % 10 == 0 else number)
        wait_until(lambda: desk.stats()["tasks_submitted"] == count + 2, "all are submitted")


def end_by_kill(server: Running) -> None:
    server.kill_all()


def end_by_signal(server: Running) -> None:
    server.errors_are_fine = server.was_killed = True  # its files stay
    assert server.stop() == 0


@pytest.mark.parametrize("end", [end_by_kill, end_by_signal])
@pytest.mark.parametrize("workers", [(2, 2), (1, 1), (3, 4)], ids=["as many", "fewer", "more"])
def test_with_a_key_every_task_that_was_not_done_is_done_by_the_next_start(
    tmp_path: Path, mode: IpcMode, key: int, workers: tuple[int, int], end: Callable[[Running], None]
) -> None:
    gate, count = tmp_path / "gate", 200
    settings: dict[str, Any] = {"task_ipc_mode": mode, "message_queue_key": key, "max_wait_time": 0.5, **FRAMES}
    with running(workshop, tmp_path / "server", worker_num=2, task_worker_num=2, **settings) as server:
        lay_up(server, gate, count)
        end(server)
    gate.touch()

    events, tasks = workers
    with running(workshop, tmp_path / "server", worker_num=events, task_worker_num=tasks, **settings) as server:
        finished = wait_until(
            lambda: server.notes("finish") if len(server.notes("finish")) >= count + 2 else None, "all are done"
        )
        with Desk(server) as desk:
            stats = wait_until(lambda: quiet_stats(desk), "nothing is under way")
            new = desk.do("echo", "new")

    assert finished is not None
    assert len({task_id for (task_id,) in finished}) == len(finished) == count + 2
    attempts = {task_id: attempt for task_id, _, _, attempt in server.notes("task")}
    assert max(attempts.values()) <= 2
    assert stats["tasks_submitted"] == stats["tasks_done"] == count + 2
    assert new.task_id > max(attempts.keys() - {new.task_id}), "an id that was in use"
    assert queue_of(key) is None


def test_when_somebody_removes_the_queue_the_server_says_so_once_and_stops_and_what_waits_is_kept(
    tmp_path: Path, mode: IpcMode, key: int
) -> None:
    settings: dict[str, Any] = {"task_ipc_mode": mode, "message_queue_key": key, **FRAMES}
    with running(workshop, tmp_path, worker_num=2, task_worker_num=2, **settings) as server:
        server.errors_are_fine = server.was_killed = True  # its files stay
        with Desk(server) as desk:
            desk.do("echo", "before")
            queue = queue_of(key)
            assert queue is not None
            queue.remove()
            with suppress(OSError):  # a server that stops may be gone before we have said all
                for number in range(20):
                    desk.ask("echo", number)

            assert server.exit_status() == 4

        assert len(server.log("System V queue was removed by somebody else")) == 1
        assert {line["said"].partition(" (")[0] for line in server.log() if line["level"] == "ERROR"} == {
            "System V queue was removed by somebody else, the server stops; tasks that were in it are lost"
        }
        assert "Traceback" not in server.stderr()
        begun = len(server.notes("task"))
        submitted = [line["count"] for line in server.log("tasks are kept for the next start")]

    with running(workshop, tmp_path, worker_num=2, task_worker_num=2, **settings) as server:
        server.errors_are_fine = True  # those of the first
        (line,) = server.log("tasks of an earlier run are delivered")
        assert submitted == [line["count"]]
        assert 0 < line["count"] <= 20
        wait_until(lambda: len(server.notes("task")) == begun + line["count"], "all that was kept is done")


def forgetful_workshop(server: Server) -> None:
    workshop(server)
    server.on("shutdown", lambda server: server.discard_tasks())


def test_a_server_that_discards_its_tasks_leaves_none_behind_when_it_stops(
    tmp_path: Path, mode: IpcMode, key: int
) -> None:
    gate = tmp_path / "gate"
    settings: dict[str, Any] = {"task_ipc_mode": mode, "message_queue_key": key, "max_wait_time": 0.5, **FRAMES}
    with running(forgetful_workshop, tmp_path / "server", task_worker_num=2, **settings) as server:
        lay_up(server, gate, 200)
        server.errors_are_fine = True  # those in hand are killed
        code = server.stop()

    assert code == 0
    assert queue_of(key) is None


def quiet_stats(desk: Desk) -> dict[str, Any] | None:
    stats = desk.stats()
    return None if stats["tasks_waiting"] or stats["tasks_running"] else stats


def test_a_task_that_kills_the_whole_server_each_time_ends_as_lost(tmp_path: Path, key: int) -> None:
    settings: dict[str, Any] = {"task_ipc_mode": 2, "message_queue_key": key, "task_max_attempts": 2, **FRAMES}
    with running(workshop, tmp_path / "server", **settings) as server:
        with Desk(server) as desk:
            desk.ask("wait for file", str(tmp_path / "gate"))
            wait_until(lambda: server.notes("task"), "begun")
        server.kill_all()
    with running(workshop, tmp_path / "server", **settings) as server:
        wait_until(lambda: len(server.notes("task")) == 2, "begun again")
        server.kill_all()

    with running(workshop, tmp_path / "server", **settings) as server:
        server.errors_are_fine = True
        ((task_id, error),) = wait_until(lambda: server.notes("task_error"), "the task is given up")

    assert error == "TaskLost"
    assert [each[3] for each in server.notes("task") if each[0] == task_id] == [1, 2]


def test_a_directory_with_tasks_of_another_key_is_refused_and_left_alone(tmp_path: Path, key: int) -> None:
    with running(workshop, tmp_path, task_ipc_mode=2, message_queue_key=key, **FRAMES) as server:
        server.kill_all()
    before = sorted(server.spill.iterdir())

    other = start(workshop, tmp_path, **FRAMES)

    assert other.exit_status() != 0
    assert f"holds tasks of a server with message_queue_key {key}" in other.stderr()
    assert sorted(server.spill.iterdir()) == before


# ── a queue that is full ────────────────────────────────────────────────────────────────────────


def test_while_the_queue_is_full_other_clients_are_answered_at_once_and_nothing_is_lost(
    tmp_path: Path, mode: IpcMode
) -> None:
    gate, body, count = tmp_path / "gate", "y" * 8000, 300
    with (
        running(workshop, tmp_path / "server", task_worker_num=2, task_ipc_mode=mode, **FRAMES) as server,
        Desk(server) as desk,
        Desk(server) as other,
    ):
        for _ in range(20):
            desk.do("echo", "quick")
        asked = [desk.ask("echo", body) for _ in range(count)]
        slowest = 0.0
        answered = 0
        while answered < 100:
            began = time.monotonic()
            assert other.do("here", "1").value == 1
            slowest = max(slowest, time.monotonic() - began)
            answered += 1

        assert [desk.answer(number).value for number in asked] == [body] * count
        assert slowest < 10.0  # a loop that blocks on the queue never comes back

        stuck = [desk.ask("wait for file", str(gate)) for _ in range(2)]
        for _ in range(count):
            desk.ask("echo", body)
        wait_until(lambda: other.stats()["tasks_submitted"] >= 2 * count + 22, "all are submitted")
        assert other.stats()["queue_bytes"] > 2_000_000
        gate.touch()
        assert [desk.answer(number).kind for number in stuck] == ["finish", "finish"]
        wait_until(lambda: quiet_stats(other), "all are done")


def test_a_server_whose_queue_is_full_stops_in_time(tmp_path: Path, mode: IpcMode) -> None:
    server = start(workshop, tmp_path / "server", task_ipc_mode=mode, max_wait_time=0.5, **FRAMES)
    server.wait_until_ready()
    with Desk(server) as desk:
        desk.ask("wait for file", str(tmp_path / "gate"))
        for _ in range(100):
            desk.ask("echo", "z" * 8000)
        wait_until(lambda: desk.stats()["tasks_submitted"] == 101, "all are submitted")

        server.send_signal(signal.SIGTERM)

        assert server.exit_status() == 0
