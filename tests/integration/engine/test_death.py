"""Processes that die: what they had in hand, who takes their place, and who goes with whom."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server, TaskLost
from engine.ipc.backlog import Backlog
from engine.ipc.bodies import Bodies
from engine.ipc.in_flight import InFlight
from engine.process import slot, supervision
from tests.integration.engine.inside import note
from tests.integration.engine.servers import (
    Running,
    can_connect,
    can_listen,
    is_alive,
    is_compiled,
    running,
    start,
    wait_until,
)
from tests.integration.engine.workshop import FRAMES, Desk, workshop
from tests.ports import free_port

LARGE = "x" * 100_000


def attempts(server: Running, task_id: int) -> list[int]:
    """The attempts that were begun of a task."""
    return [attempt for number, _, _, attempt in server.notes("task") if number == task_id]


def wait_for_attempt(server: Running, task_id: int, attempt: int) -> None:
    wait_until(lambda: attempt in attempts(server, task_id), f"attempt {attempt} of task {task_id}")


# ── a task worker ───────────────────────────────────────────────────────────────────────────────


def test_a_task_worker_killed_in_the_middle_of_a_task_does_it_again_and_loses_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", **FRAMES) as server, Desk(server) as desk:
        before = [desk.do("echo", number, 0).value for number in range(3)]
        stuck = desk.ask("wait for file", str(gate), 0)
        after = [desk.ask("echo", LARGE if number == 5 else number, 0) for number in range(20)]
        wait_for_attempt(server, 3, 1)

        dead = server.kill("task worker 0")
        wait_for_attempt(server, 3, 2)
        gate.touch()

        assert before == [0, 1, 2]
        answer = desk.answer(stuck)
        assert (answer.kind, answer.attempt, answer.value) == ("finish", 2, str(gate))
        answers = [desk.answer(number) for number in after]
        assert [answer.value for answer in answers] == [LARGE if number == 5 else number for number in range(20)]
        assert [answer.attempt for answer in answers] == [1] * 20
        assert [task_id for task_id, *_ in server.notes("task")] == [0, 1, 2, 3, 3, *range(4, 24)]
        assert server.pid_of("task worker 0") != dead
        stats = desk.stats()
        assert (stats["tasks_submitted"], stats["tasks_done"], stats["tasks_redelivered"]) == (24, 24, 1)
        (line,) = server.log("delivered again")
        assert (line["level"], line["task_id"], line["attempt"]) == ("WARNING", 3, 2)
        (line,) = server.log("child died, starting another")
        assert (line["pid"], line["signal"], line["exit_code"]) == (dead, signal.SIGKILL, 0)
        assert f"(title='{server.name}: task worker 0' slot=1 seat=0 pid={dead} exit_code=0 signal=9" in line["said"]


def die_once() -> None:
    if not Path(os.environ["DIED"]).exists():
        Path(os.environ["DIED"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def dies_before_the_hand_knows(server: Server) -> None:
    """Killed when the answer is sent, and not yet noted as sent."""
    workshop(server)
    note_it = InFlight.answered

    def answered(self: InFlight, count: int) -> None:
        if count:
            die_once()
        note_it(self, count)

    InFlight.answered = answered  # type: ignore[method-assign]


def dies_before_the_board_knows(server: Server) -> None:
    """A moment earlier: its file looks like one that nobody was told of."""
    workshop(server)

    def files_made(self: Bodies) -> int:
        """Asked for when the answer is sent, to be put on the board."""
        if self._spill.made and server.taskworker:
            die_once()
        return self._spill.made

    Bodies.files_made = property(files_made)  # type: ignore[assignment,method-assign]


@pytest.mark.skipif(is_compiled(), reason="a death between two lines is put into their source, which C has not")
@pytest.mark.parametrize(
    ("program", "data"),
    [(dies_before_the_hand_knows, "small"), (dies_before_the_hand_knows, LARGE), (dies_before_the_board_knows, LARGE)],
    ids=["small, before the hand knows", "large, before the hand knows", "large, before the board knows"],
)
def test_a_task_answered_twice_is_heard_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[Server], None], data: str
) -> None:
    monkeypatch.setenv("DIED", str(tmp_path / "died"))
    with running(program, tmp_path / "server", **FRAMES) as server, Desk(server) as desk:
        monkeypatch.undo()
        answer = desk.do("echo", data)
        wait_for_attempt(server, answer.task_id, 2)
        after = desk.do("echo", "after", 0)

        assert (answer.value, after.value) == (data, "after")
        assert server.notes("finish") == [[answer.task_id], [after.task_id]]
        stats = desk.stats()
        assert (stats["tasks_submitted"], stats["tasks_done"], stats["tasks_waiting"]) == (2, 2, 0)
        wait_until(lambda: not server.spill_files(), "no file left")


@pytest.mark.parametrize(
    ("verb", "exit_code", "killed_by"),
    [("sys exit", 7, 0), ("os exit", 0, 0), ("die", 0, signal.SIGKILL), ("segfault", 0, signal.SIGSEGV)],
)
def test_a_task_that_ends_its_process_is_delivered_again(
    tmp_path: Path, verb: str, exit_code: int, killed_by: int
) -> None:
    with running(workshop, tmp_path, **FRAMES) as server, Desk(server) as desk:
        answer = desk.do(verb, 1)

        assert (answer.kind, answer.attempt, answer.value) == ("finish", 2, "survived")
        (line,) = server.log("starting another")
        assert (line["exit_code"], line["signal"]) == (exit_code, killed_by)


def test_a_task_that_kills_every_worker_ends_as_lost_and_the_others_go_on(tmp_path: Path) -> None:
    with running(workshop, tmp_path, task_max_attempts=2, **FRAMES) as server, Desk(server) as desk:
        server.errors_are_fine = True
        poison, other, large = desk.ask("die", 99, 0), desk.ask("echo", "other", 0), desk.ask("echo", LARGE, 0)

        answer = desk.answer(poison)

        assert answer.kind == "task_error"
        assert isinstance(answer.value, TaskLost)
        assert (answer.value.task_id, answer.value.attempts) == (answer.task_id, 2)
        assert attempts(server, answer.task_id) == [1, 2]
        assert [desk.answer(number).value for number in (other, large)] == ["other", LARGE]
        stats = desk.stats()
        assert (stats["tasks_submitted"], stats["tasks_done"], stats["tasks_lost"]) == (3, 2, 1)
        (line,) = server.log("task lost")
        assert line["task_id"] == answer.task_id


BACKS_OFF_S = 30.0


def backs_off_for_long(server: Server) -> None:
    """However slow the machine is, a death is one at the start, and its successor is away for as long as we look."""
    supervision.QUICK_DEATH_S, slot.FIRST_DELAY_S = 3600.0, BACKS_OFF_S
    workshop(server)


def test_tasks_for_any_worker_do_not_go_to_a_dead_one(tmp_path: Path) -> None:
    """Killed again and again while idle, it backs off; meanwhile the other one does all."""
    with running(backs_off_for_long, tmp_path, task_worker_num=2, **FRAMES) as server, Desk(server) as desk:
        dead = {server.kill("task worker 0")}
        wait_until(lambda: server.pid_of("task worker 0") not in dead, "another one")
        wait_until(lambda: len(server.notes("worker_start")) == 4, "another one at work")
        wait_until(lambda: desk.stats()["idle_task_worker_num"] == 2, "another one idle")
        dead.add(server.kill("task worker 0"))
        wait_until(lambda: len(server.log("child died")) == 2, "seen dead")

        answers = [desk.do("echo", "x").worker_id for _ in range(5)]

        assert server.log("child died")[-1]["delay_s"] == BACKS_OFF_S
        assert answers == [2] * 5


def dies_at_start(server: Server) -> None:
    """Its task worker cannot begin once there is a file named broken."""
    workshop(server)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        note("worker_start", worker_id, os.getpid())
        if server.taskworker and Path(os.environ["BROKEN"]).exists():
            raise RuntimeError("the database is away")

    @server.on("worker_error")
    def worker_error(server: Server, worker_id: int, pid: int, exit_code: int, killed_by: int) -> None:
        note("worker_error", worker_id, pid, exit_code, killed_by)


def test_a_worker_that_dies_at_its_start_is_started_again_more_and_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    monkeypatch.setenv("BROKEN", str(broken))
    with running(dies_at_start, tmp_path / "server", **FRAMES) as server, Desk(server) as desk:
        server.errors_are_fine = True
        broken.touch()
        number = desk.ask("die", 1)

        lines = wait_until(lambda: len(found := server.log("child died")) >= 4 and found[:4], "four deaths")
        broken.unlink()

        assert desk.answer(number).value == "survived"
        errors = server.notes("worker_error")[:4]  # there may have been more before we looked
        assert [line["delay_s"] for line in lines] == [0.0, 0.0, 1.0, 2.0]  # the first one died of its task
        assert [line["exit_code"] for line in lines] == [0, 3, 3, 3]
        assert lines[3]["at"] - lines[2]["at"] >= 1.0
        assert [each[0] for each in errors] == [1, 1, 1, 1]
        assert [each[2:] for each in errors] == [[0, signal.SIGKILL], *[[3, 0]] * 3]


# ── an event worker ─────────────────────────────────────────────────────────────────────────────


def dies_before_the_backlog_knows(server: Server) -> None:
    """Killed when a task is sent, and not yet noted as sent."""
    workshop(server)
    note_it = Backlog.remove

    def remove(self: Backlog, task_ids: Iterable[int]) -> None:
        die_once()
        note_it(self, task_ids)

    Backlog.remove = remove  # type: ignore[method-assign]


@pytest.mark.parametrize("mode", list(IpcMode))
@pytest.mark.parametrize("data", ["small", LARGE], ids=["small", "large"])
def test_a_task_sent_twice_ends_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: IpcMode, data: str) -> None:
    """The file of a large one goes with the first answer; the second time it is not there, and that is no failure."""
    monkeypatch.setenv("DIED", str(tmp_path / "died"))
    with (
        running(dies_before_the_backlog_knows, tmp_path / "server", task_ipc_mode=mode, **FRAMES) as server,
        Desk(server) as first,
    ):
        monkeypatch.undo()
        first.ask("echo", data)
        server.wait_for_notes("finish")

        with Desk(server) as second:
            assert second.do("echo", "after", 0).value == "after"
            stats = second.stats()

        assert len(server.notes("finish")) == 2
        assert server.notes("task_error") == []
        assert (stats["tasks_done"], stats["tasks_failed"], stats["tasks_waiting"]) == (2, 0, 0)
        assert server.spill_files() == []


def test_a_task_whose_file_somebody_removed_fails_and_says_so(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", **FRAMES) as server, Desk(server) as desk:
        long, large = desk.ask("wait for file", str(gate), 0), desk.ask("echo", LARGE, 0)
        (file,) = wait_until(server.spill_files, "the file")
        file.unlink()
        gate.touch()

        answer = desk.answer(large)

        assert (desk.answer(long).kind, answer.kind) == ("finish", "task_error")
        assert answer.value.type_name == "FileNotFoundError"
        assert desk.stats()["tasks_failed"] == 1


def test_an_event_worker_comes_back_with_its_id_and_the_port_stays_open(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **FRAMES) as server:
        with Desk(server) as desk:
            first_fd = desk.do("here", "fd").value
            dead = server.kill("worker 0")
            with pytest.raises(OSError, match=r"closed|reset"):
                desk.answer(desk.ask("echo", "x"))

        with Desk(server) as desk:  # connects at once, whether the new one is there or not
            answer = desk.do("here", "(server.worker_id, server.worker_pid, fd, server.stats().connection_num)")
            worker_id, pid, fd, connections = answer.value
            assert (worker_id, connections) == (0, 1)
            assert pid == server.pid_of("worker 0") != dead
            assert fd > first_fd
            assert desk.do("echo", "at work").task_id >= 0


def test_a_task_outlives_the_event_worker_that_asked_for_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", **FRAMES) as server:
        with Desk(server) as desk:
            desk.ask("wait for file", str(gate))
            wait_for_attempt(server, 0, 1)
            server.kill("worker 0")
        with Desk(server) as desk:
            gate.touch()

            assert server.wait_for_notes("finish") == [[0]]
            assert attempts(server, 0) == [1]
            stats = desk.stats()
            assert (stats["tasks_submitted"], stats["tasks_done"]) == (1, 1)


# ── the manager ─────────────────────────────────────────────────────────────────────────────────


def test_no_child_outlives_a_manager_that_is_killed_and_the_port_is_free(tmp_path: Path) -> None:
    port = free_port()
    tasks = {"task_tmpdir": str(tmp_path / "tasks")}
    with running(workshop, tmp_path / "1", port=port, worker_num=2, task_worker_num=3, **FRAMES, **tasks) as server:
        server.was_killed = True
        children = {pid for title, pid in server.processes().items() if title != "manager"}
        assert len(children) == 5
        with Desk(server) as desk:
            desk.ask("sleep", 60, 0)
            desk.ask("echo", LARGE, 0)
            wait_until(lambda: list((tmp_path / "tasks").glob("*.spill")), "the file of the second task")

            server.process.kill()

            wait_until(lambda: not any(map(is_alive, children)) and can_listen(port), "gone, and the port free")

        assert list((tmp_path / "tasks").glob("*.spill"))

    with running(workshop, tmp_path / "2", port=port, **FRAMES, **tasks) as server, Desk(server) as desk:
        assert desk.do("echo", "again").value == "again"
        assert not list((tmp_path / "tasks").glob("*.spill"))


def test_who_dies_of_a_task_again_and_again_is_replaced_at_once_so_that_the_task_need_not_wait(tmp_path: Path) -> None:
    with running(workshop, tmp_path, task_max_attempts=5, **FRAMES) as server, Desk(server) as desk:
        assert desk.do("die", 3).attempt == 4

        assert [line["delay_s"] for line in server.log("child died, starting another")] == [0.0] * 3


# ── servers that do not come up ─────────────────────────────────────────────────────────────────


def cannot_begin(server: Server) -> None:
    workshop(server)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        how, _, who = os.environ["CANNOT_BEGIN"].partition(" ")
        if int(who) != worker_id:
            return
        if how == "raise":
            raise RuntimeError("no such table: customers")
        if how == "exit":
            sys.exit(5)
        os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize("who", ["0", "1"], ids=["event worker", "task worker"])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "ended with exit code 3"),
        ("exit", "ended with exit code 5"),
        ("segfault", "was killed by signal 11"),
    ],
)
def test_a_worker_that_cannot_begin_stops_the_server_with_exit_code_3_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str, how: str, reason: str
) -> None:
    monkeypatch.setenv("CANNOT_BEGIN", f"{how} {who}")
    server = start(cannot_begin, tmp_path, **FRAMES)

    assert server.exit_status() == 3

    title = "worker 0" if who == "0" else "task worker 0"
    (line,) = server.log("server stopped")
    assert f"{server.name}: {title} cannot start, it {reason}" in line["said"]
    if how == "raise":
        assert "no such table: customers" in server.log("worker_start raised")[0]["trace"]
    assert server.notes("ready") == []
    server.errors_are_fine = True
    server.check_no_trace()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({}, "cannot listen on 127.0.0.1:{port}: Address already in use"),
        ({"port": 0, "task_tmpdir": "/proc/tasks"}, "cannot make /proc/tasks: No such file or directory"),
    ],
    ids=["port", "directory"],
)
def test_a_server_that_has_no_place_says_so_in_one_sentence(
    tmp_path: Path, setting: dict[str, Any], reason: str
) -> None:
    with running(workshop, tmp_path / "first", **FRAMES) as first:
        second = start(workshop, tmp_path / "second", **{"port": first.port, **FRAMES, **setting})

        assert second.exit_status() == 1

        last_line = second.stderr().strip().splitlines()[-1]
        assert last_line == "engine.errors.StartError: " + reason.format(port=first.port)
        assert can_connect(first.port)


def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "tasks"
    with running(workshop, tmp_path / "first", task_tmpdir=str(directory), **FRAMES) as first:
        second = start(workshop, tmp_path / "second", task_tmpdir=str(directory), **FRAMES)

        assert second.exit_status() == 1

        assert f"{directory} is in use by another running server" in second.stderr()
        with Desk(first) as desk:
            assert desk.do("echo", LARGE).value == LARGE


def test_the_time_between_a_death_and_the_next_life_is_short(tmp_path: Path) -> None:
    """The first death is no reason to wait, also where the second one is one for long."""
    with running(backs_off_for_long, tmp_path, **FRAMES) as server, Desk(server) as desk:
        desk.do("echo", "x")
        server.kill("task worker 0")
        began = time.monotonic()

        desk.do("echo", "x", 0)

        assert time.monotonic() - began < BACKS_OFF_S / 2
        assert server.log("child died")[-1]["delay_s"] == 0.0


def flooded_successor(server: Server) -> None:
    """A reload kills the first task; its worker's successor is in a task then, and its inbox is full for long."""
    server.on("receive", lambda *args: None)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        if worker_id == 0:
            server.task("first")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, name: str) -> str:
        note("task", name, server.attempt)
        if name == "first" and server.attempt == 1:
            server.send_message("begun", 0)
            time.sleep(60)
        if name == "second":
            time.sleep(3)
        return name

    def flood(server: Server) -> None:
        server.task("second")
        for _ in range(3000):
            server.send_message(b"m" * 4000, 1)

    @server.on("finish")
    def finish(server: Server, task_id: int, name: str) -> None:
        note("finish", name)

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: object) -> None:
        if message == "begun":
            server.reload(only_task_workers=True)
            flood_behind(server, server.stats().task_workers[0].pid)

    def flood_behind(server: Server, pid: int) -> None:
        """Once another process has the worker id of this one."""
        if server.stats().task_workers[0].pid in (0, pid):
            server.after(10, flood_behind, server, pid)
        else:
            flood(server)


def test_what_a_killed_worker_left_is_taken_up_though_the_inbox_of_its_successor_is_full(tmp_path: Path) -> None:
    with running(flooded_successor, tmp_path, max_wait_time=2.0, task_max_attempts=10) as server:
        server.wait_for_notes("finish", 2, within_s=30)

        assert sorted(name for (name,) in server.notes("finish")) == ["first", "second"]
        assert [attempt for name, attempt in server.notes("task") if name == "first"] == [1, 2]


def slow_at_first(server: Server) -> None:
    """A task that takes too long for a reload five times, and asks for the next reload itself."""
    server.on("receive", lambda *args: None)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        if worker_id == 0:
            server.task("slow")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, name: str) -> str:
        note("attempt", server.attempt)
        if server.attempt <= 5:
            server.reload(only_task_workers=True)
            time.sleep(60)
        return name

    @server.on("finish")
    def finish(server: Server, task_id: int, name: str) -> None:
        note("finish", name)

    @server.on("task_error")
    def task_error(server: Server, task_id: int, error: Exception) -> None:
        note("task_error", str(error))


@pytest.mark.parametrize("coroutines", [False, True], ids=["one by one", "coroutines"])
def test_a_kill_by_the_manager_itself_is_no_attempt_at_a_task(tmp_path: Path, coroutines: bool) -> None:
    settings = {"max_wait_time": 0.3, "task_max_attempts": 2, "task_enable_coroutine": coroutines}
    with running(slow_at_first, tmp_path, **settings) as server:
        server.wait_for_notes("finish", 1, within_s=60)

        assert server.notes("attempt") == [[number] for number in range(1, 7)]
        assert server.notes("task_error") == []


def test_a_task_that_a_stop_had_to_kill_again_and_again_is_done_by_the_start_that_lets_it(tmp_path: Path) -> None:
    settings = {"task_ipc_mode": 2, "message_queue_key": secrets.randbelow(2**31 - 1) + 1, "max_wait_time": 0.3}
    for life in range(4):
        with running(slow_in_all_lives_but_the_last, tmp_path, task_max_attempts=2, **settings) as server:
            if life == 3:
                (tmp_path / "let it").touch()
                server.wait_for_notes("finish", 1)
            else:
                server.wait_for_notes("attempt", life + 1)
                server.was_killed = True  # what was in hand stays for the next start

    assert server.notes("attempt") == [[1]] * 4
    assert server.notes("task_error") == []


def slow_in_all_lives_but_the_last(server: Server) -> None:
    slow_at_first(server)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        if worker_id == 0 and not server.stats().tasks_submitted:
            server.task("slow")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, name: str) -> str:
        note("attempt", server.attempt)
        while not (Path(server.settings.task_tmpdir).parent / "let it").exists():
            time.sleep(0.02)
        return name
