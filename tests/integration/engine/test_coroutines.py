"""Tasks that are coroutines, in a real server: several at once in one task worker, and each as safe as a plain one."""

import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode
from tests.integration.engine.servers import Running, running, start, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, async_workshop, workshop

MODES = pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name)
COROUTINES: dict[str, Any] = {"task_enable_coroutine": True, **FRAMES}


def begun(server: Running, verb: str) -> list[tuple[int, int]]:
    """Task worker and attempt of every task of this kind that was begun, in order."""
    return [(worker_id, attempt) for _, each, worker_id, attempt in server.notes("task") if each == verb]


def wait_until_begun(server: Running, verb: str, count: int) -> None:
    wait_until(lambda: len(begun(server, verb)) >= count, f"{count} tasks begun of {verb!r}")


# ── many at once ────────────────────────────────────────────────────────────────────────────────


@MODES
def test_one_task_worker_does_sixteen_tasks_at_once_and_not_one_more(tmp_path: Path, mode: IpcMode) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, task_ipc_mode=mode, **COROUTINES) as server, Desk(server) as desk:
        asked = []
        for number in range(16):  # one by one: who is busy is given more
            asked.append(desk.ask("await file", str(gate)))
            wait_until_begun(server, "await file", number + 1)
        asked += [desk.ask("await file", str(gate)) for _ in range(4)]

        stats = wait_until(lambda: (found := desk.stats())["tasks_submitted"] == 20 and found, "20 submitted")

        assert (stats["tasks_running"], stats["tasks_waiting"], stats["idle_task_worker_num"]) == (16, 4, 0)
        assert stats["task_workers"][0]["state"] == "busy"
        assert stats["task_workers"][0]["task_id"] == 0
        assert len(begun(server, "await file")) == 16
        gate.touch()
        assert {desk.answer(each).kind for each in asked} == {"finish"}
        stats = desk.stats()
        assert (stats["tasks_running"], stats["tasks_waiting"], stats["tasks_done"]) == (0, 0, 20)


@MODES
def test_no_task_waits_while_another_task_worker_has_room(tmp_path: Path, mode: IpcMode) -> None:
    gate, settings = tmp_path / "gate", {"task_max_concurrency": 3, "task_ipc_mode": mode, **COROUTINES}
    workers = {"task_worker_num": 3, "worker_num": 2}
    with running(async_workshop, tmp_path, **workers, **settings) as server, Desk(server) as one, Desk(server) as two:
        asked = [(desk, desk.ask("await file", str(gate))) for _ in range(4) for desk in (one, two)]
        wait_until_begun(server, "await file", 8)

        assert one.do("echo", "there is room for one more").value == "there is room for one more"

        gate.touch()
        assert {desk.answer(number).kind for desk, number in asked} == {"finish"}


def test_many_quick_ones_are_all_answered(tmp_path: Path) -> None:
    with running(async_workshop, tmp_path, task_worker_num=2, **COROUTINES) as server, Desk(server) as desk:
        asked = {desk.ask("echo", number): number for number in range(1, 501)}

        assert {number: desk.answer(number).value for number in asked} == asked


@pytest.mark.parametrize("mode", [IpcMode.SOCKET, IpcMode.QUEUE], ids=lambda mode: mode.name)
def test_a_task_for_one_of_them_waits_for_that_one_and_holds_up_nobody(tmp_path: Path, mode: IpcMode) -> None:
    gate, settings = tmp_path / "gate", {"task_max_concurrency": 2, "task_ipc_mode": mode, **COROUTINES}
    with running(async_workshop, tmp_path, task_worker_num=2, **settings) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate), 0) for _ in range(3)]
        wait_until_begun(server, "await file", 2)

        assert {desk.do("echo", number).worker_id for number in range(5)} == {2}
        assert len(begun(server, "await file")) == 2

        gate.touch()
        assert [desk.answer(each).worker_id for each in asked] == [1, 1, 1]


def test_messages_are_heard_while_all_are_busy(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, task_max_concurrency=2, **COROUTINES) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate)) for _ in range(3)]
        wait_until_begun(server, "await file", 2)

        desk.do("here", "server.send_message('hello', 1)")

        assert server.wait_for_notes("pipe_message") == [[1, 0, "hello"]]
        gate.touch()
        assert [desk.answer(each).kind for each in asked] == ["finish"] * 3


# ── each is its own ─────────────────────────────────────────────────────────────────────────────


def test_finish_answers_the_task_whose_handler_calls_it(tmp_path: Path) -> None:
    gates = [str(tmp_path / f"gate {number}") for number in range(5)]
    with running(async_workshop, tmp_path, **COROUTINES) as server, Desk(server) as desk:
        asked = [desk.ask("finish behind", gate) for gate in gates]
        wait_until_begun(server, "finish behind", 5)

        for number in (3, 0, 4, 1, 2):
            Path(gates[number]).touch()
            assert desk.answer(asked[number]).value == gates[number]


def test_what_one_raises_is_its_own_failure(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, **COROUTINES) as server, Desk(server) as desk:
        server.errors_are_fine = True
        asked = desk.ask("await file", str(gate))

        failures = [desk.do(verb, "text") for verb in ("raise", "return unpicklable", "cancel itself")]

        assert [each.kind for each in failures] == ["task_error"] * 3
        assert [each.value.type_name for each in failures] == ["ValueError", "TypeError", "CancelledError"]
        gate.touch()
        assert desk.answer(asked).attempt == 1
        assert desk.stats()["tasks_failed"] == 3


def test_large_data_and_results_leave_no_file(tmp_path: Path) -> None:
    with running(async_workshop, tmp_path, **COROUTINES) as server, Desk(server) as desk:
        large = [bytes([number]) * 100_000 for number in range(20)]
        asked = [desk.ask("echo", each) for each in large]

        assert [desk.answer(each).value for each in asked] == large
        wait_until(lambda: not server.spill_files(), "no file is left")


# ── a plain def ─────────────────────────────────────────────────────────────────────────────────


def test_a_plain_handler_runs_alone_and_holds_up_nobody_else(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path, task_worker_num=2, **COROUTINES) as server, Desk(server) as desk:
        blocked = desk.ask("wait for file", str(gate))
        wait_until_begun(server, "wait for file", 1)

        assert [desk.do("echo", number).value for number in range(50)] == list(range(50))

        gate.touch()
        assert desk.answer(blocked).kind == "finish"


# ── death ───────────────────────────────────────────────────────────────────────────────────────


@MODES
def test_a_kill_redelivers_all_that_were_in_hand_and_counts_only_those(tmp_path: Path, mode: IpcMode) -> None:
    gate, settings = tmp_path / "gate", {"task_max_concurrency": 4, "task_ipc_mode": mode, **COROUTINES}
    with running(async_workshop, tmp_path, **settings) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate)) for _ in range(6)]
        wait_until_begun(server, "await file", 4)

        server.kill("task worker 0")
        wait_until_begun(server, "await file", 8)
        gate.touch()

        assert [desk.answer(each).attempt for each in asked] == [2, 2, 2, 2, 1, 1]
        assert desk.stats()["tasks_redelivered"] == 4


def test_one_that_kills_each_time_is_lost_and_takes_nobody_along(tmp_path: Path) -> None:
    with running(async_workshop, tmp_path, **COROUTINES) as server, Desk(server) as desk:
        server.errors_are_fine = True
        innocent = [desk.ask("rest", 0.3) for _ in range(3)]
        wait_until_begun(server, "rest", 3)
        poison = desk.ask("die", 99)

        assert (desk.answer(poison).kind, len(begun(server, "die"))) == ("task_error", 3)

        assert [desk.answer(each).kind for each in innocent] == ["finish"] * 3


def test_a_handler_that_leaves_takes_no_other_for_failed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, **COROUTINES) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate)) for _ in range(3)]
        wait_until_begun(server, "await file", 3)

        left = desk.ask("sys exit", 1)
        wait_until_begun(server, "await file", 6)
        gate.touch()

        assert [desk.answer(each).attempt for each in [left, *asked]] == [2, 2, 2, 2]


def test_with_a_key_all_that_were_in_hand_are_delivered_after_a_kill_of_everything(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    key = secrets.randbelow(2**31 - 1) + 1
    settings = {**COROUTINES, "task_ipc_mode": IpcMode.QUEUE, "message_queue_key": key, "task_max_concurrency": 3}
    server = start(async_workshop, tmp_path, **settings)
    server.wait_until_ready()
    with Desk(server) as desk:
        for number in range(5):
            desk.ask("await file", f"{gate} {number}")
        wait_until(lambda: desk.stats()["tasks_submitted"] == 5, "all are submitted")
        wait_until_begun(server, "await file", 3)
    server.kill_all()
    for number in range(5):
        Path(f"{gate} {number}").touch()

    with running(async_workshop, tmp_path, **settings) as server:
        server.wait_for_notes("finish", 5)

    assert sorted(attempt for _, attempt in begun(server, "await file")[3:]) == [1, 1, 2, 2, 2]


# ── life ────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_waits_for_all_that_are_in_hand(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, max_wait_time=30, task_max_concurrency=3, **COROUTINES) as server:
        desk = Desk(server)
        for _ in range(5):
            desk.ask("await stop and file", str(gate))
        wait_until_begun(server, "await stop and file", 3)

        server.send_signal(signal.SIGTERM)
        server.wait_for_notes("told to stop", 3)  # one that was not told yet would begin another
        gate.touch()

        assert server.exit_status() == 0
        assert len(server.notes("through")) == len(begun(server, "await stop and file")) == 3
        assert len(server.notes("finish")) == 3
        assert [worker_id for worker_id, _ in server.notes("worker_stop")] == [1, 0]


def test_a_handler_that_blocks_may_ask_whether_to_stop(tmp_path: Path) -> None:
    with running(workshop, tmp_path, max_wait_time=30, **COROUTINES) as server, Desk(server) as desk:
        desk.ask("do here", "wait_until(lambda: server.stopping, 'told to stop', 30)")
        wait_until_begun(server, "do here", 1)

        assert server.stop() == 0

        assert len(server.notes("finish")) == 1


def test_in_a_reload_the_old_one_finishes_what_it_has_while_the_new_one_works(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(async_workshop, tmp_path, max_wait_time=30, **COROUTINES) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate)) for _ in range(3)]
        wait_until_begun(server, "await file", 3)
        old = server.pid_of("task worker 0")

        server.send_signal(signal.SIGUSR2)
        wait_until(lambda: server.log("reload ended"), "it ends")

        assert desk.do("do here", "os.getpid()").value != old
        gate.touch()
        assert [desk.answer(each).attempt for each in asked] == [1, 1, 1]


def test_what_an_old_one_could_not_finish_goes_on_in_the_other_seat(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    settings = {"max_wait_time": 0.5, "task_max_concurrency": 3, **COROUTINES}
    with running(async_workshop, tmp_path, **settings) as server, Desk(server) as desk:
        asked = [desk.ask("await file", str(gate)) for _ in range(3)]
        wait_until_begun(server, "await file", 3)

        server.send_signal(signal.SIGUSR2)
        wait_until_begun(server, "await file", 6)
        gate.touch()

        assert [desk.answer(each).attempt for each in asked] == [2, 2, 2]


@MODES
def test_recycled_between_tasks_they_lose_nothing(tmp_path: Path, mode: IpcMode) -> None:
    settings = {"task_max_request": 20, "task_max_request_grace": 5, "task_ipc_mode": mode, **COROUTINES}
    with running(async_workshop, tmp_path, task_worker_num=2, **settings) as server, Desk(server) as desk:
        asked = {desk.ask("echo", number): number for number in range(1, 401)}

        assert {number: desk.answer(number).value for number in asked} == asked

        assert len(server.notes("task")) == 400
        left = server.log("task worker recycled")
        assert len(left) >= 400 // 25 - 2
        assert {20 <= line["tasks"] <= 25 for line in left} == {True}
