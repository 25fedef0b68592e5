"""SIGTERM and Ctrl-C: what is in hand is finished, nothing stays behind, the exit status is 0."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine import Server
from engine.process import stop as stopping
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, can_connect, running, start, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

PATIENT = {"max_wait_time": 30, **FRAMES}
"""On a busy machine what is in hand takes a while."""
HANDFULS = {"buffer_output_size": 64 * 2**20, **PATIENT}


def sigterm(server: Running) -> None:
    server.send_signal(signal.SIGTERM)


def ctrl_c(server: Running) -> None:
    """What a terminal does: SIGINT to every process of the group."""
    os.killpg(server.process.pid, signal.SIGINT)


def end_of_the_terminal(server: Running) -> None:
    """SIGHUP to every process of the group."""
    os.killpg(server.process.pid, signal.SIGHUP)


def sigterm_to_all(server: Running) -> None:
    """What systemd does where nothing else is said."""
    for pid in server.processes().values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("stop", [sigterm, ctrl_c, end_of_the_terminal, sigterm_to_all])
def test_told_to_stop_the_task_in_hand_ends_and_its_answer_reaches_the_client(
    tmp_path: Path, stop: Callable[[Running], None]
) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", worker_num=2, task_worker_num=2, **HANDFULS) as server:
        with Desk(server) as desk, Desk(server) as other:
            numbers = [(each, each.ask("wait for file", str(gate))) for each in (desk, other)]
            server.wait_for_notes("task", 2)

            stop(server)
            wait_until(lambda: server.log("server stopping"), "the stop has begun")
            gate.touch()

            assert [each.answer(number).value for each, number in numbers] == [str(gate)] * 2
        assert server.exit_status() == 0
        assert server.log("died") == []


@pytest.mark.parametrize("max_wait_time", [0, 20])
def test_a_task_in_hand_may_say_much_to_every_event_worker_while_the_server_stops(
    tmp_path: Path, max_wait_time: float
) -> None:
    gate = tmp_path / "gate"
    workers = {"worker_num": 2, "max_wait_time": max_wait_time}
    with running(workshop, tmp_path / "server", **workers, **FRAMES) as server, Desk(server) as desk:
        number = desk.ask(
            "do here",
            f"[wait_until(Path({str(gate)!r}).exists, 'gate', 60)]"
            " + [server.send_message('progress' * 10, to) for _ in range(3000) for to in (0, 1)]",
        )
        server.wait_for_notes("task")

        sigterm(server)
        wait_until(lambda: server.log("server stopping"), "the stop has begun")
        gate.touch()

        assert desk.answer(number).kind == "finish"
        assert server.exit_status() == 0


def test_a_large_last_answer_reaches_a_client_that_reads_slowly(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    size = 20_000_000
    with running(workshop, tmp_path / "server", **HANDFULS) as server, Desk(server) as desk:
        fd = desk.do("here", "fd").value
        wait_for_gate = f"wait_until(Path({str(gate)!r}).exists, 'gate', 60)"
        desk.ask("do here", f"[{wait_for_gate}, answer_raw(server, {fd}, b'x' * {size})][0]")
        server.wait_for_notes("task", 1)

        sigterm(server)
        gate.touch()
        wait_until(lambda: not {"task worker 0"} & set(server.processes()), "task workers gone")

        assert len(desk.answer(-1).value) == size
        assert server.exit_status() == 0


def test_a_client_that_half_closed_gets_its_answer_while_the_server_stops(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(half_closed, tmp_path / "server", **PATIENT) as server, server.connect() as connection:
        connection.sendall(len(bytes(gate)).to_bytes(4, "big") + bytes(gate))
        connection.shutdown(1)
        server.wait_for_notes("task")

        sigterm(server)
        wait_until(lambda: server.log("server stopping"), "the stop has begun")
        gate.touch()

        assert connection.makefile("rb").read() == b"done\n"
        assert server.exit_status() == 0


def half_closed(server: Server) -> None:
    """`receive` waits for its task as a coroutine."""
    import asyncio

    waiting: dict[int, asyncio.Future[None]] = {}

    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        done = asyncio.get_running_loop().create_future()
        waiting[server.task(frame[4:])] = done
        await done
        server.send(fd, b"done\n")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        note("task", task_id)
        wait_until(Path(data.decode()).exists, "gate", 60)
        return b"done"

    @server.on("finish")
    def finish(server: Server, task_id: int, data: bytes) -> None:
        waiting[task_id].set_result(None)


def test_nobody_can_connect_once_it_is_stopping(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", **FRAMES) as server, Desk(server) as desk:
        desk.ask("wait for file", str(gate))
        server.wait_for_notes("task")

        sigterm(server)

        wait_until(lambda: not can_connect(server.port), "no new connections")
        gate.touch()
        assert server.exit_status() == 0


def streams_may_take_long(server: Server) -> None:
    """An event worker that is late on a busy machine is not killed for that."""
    stopping._END_OF_STREAMS_S = 3.0
    workshop(server)


def test_a_task_that_does_not_end_is_killed_when_the_time_is_over(tmp_path: Path) -> None:
    with running(streams_may_take_long, tmp_path, max_wait_time=0.3, **FRAMES) as server, Desk(server) as desk:
        desk.ask("sleep", 60)
        server.wait_for_notes("task")
        began = time.monotonic()

        assert server.stop() == 0

        assert 0.3 <= time.monotonic() - began < 30
        (line,) = server.log("children did not stop in time, killed")
        assert line["slots"] == [1]


@pytest.mark.parametrize("again", [sigterm, ctrl_c])
def test_a_second_signal_ends_the_patience(tmp_path: Path, again: Callable[[Running], None]) -> None:
    with running(workshop, tmp_path, max_wait_time=0, **FRAMES) as server, Desk(server) as desk:
        desk.ask("sleep", 60)
        server.wait_for_notes("task")
        sigterm(server)
        (line,) = wait_until(lambda: server.log("server stopping"), "the stop has begun")
        wait_until(lambda: time.time() > line["at"] + 0.6, "another signal is another wish")
        assert server.process.poll() is None

        wait_until(lambda: ends_the_patience(server, again), "a signal is a second wish")

        assert server.exit_status() == 0


def ends_the_patience(server: Running, again: Callable[[Running], None]) -> bool:
    """Repeats the signal, which within half a second of the first is the same wish. None may reach a server that is on
    its last steps, where a signal is deadly again: so each gets time to be heard."""
    again(server)
    with suppress(AssertionError):
        return bool(wait_until(lambda: server.log("children did not stop in time"), "it was heard", within_s=5))
    return False


def one_wish_lasts_a_minute(server: Server) -> None:
    """However slow the machine is, a second signal comes right after the first."""
    stopping._ONE_WISH_S = 60.0
    workshop(server)


@pytest.mark.parametrize("again", [sigterm, ctrl_c])
def test_a_signal_right_after_the_first_is_the_same_wish(tmp_path: Path, again: Callable[[Running], None]) -> None:
    gate = tmp_path / "gate"
    with running(one_wish_lasts_a_minute, tmp_path / "server", **PATIENT) as server, Desk(server) as desk:
        number = desk.ask("wait for file", str(gate))
        server.wait_for_notes("task")
        sigterm(server)
        wait_until(lambda: server.log("server stopping"), "the stop has begun")

        again(server)
        gate.touch()

        assert desk.answer(number).value == str(gate)
        assert server.exit_status() == 0
        assert server.log("children did not stop in time") == []


def test_a_task_can_see_that_it_should_end(tmp_path: Path) -> None:
    with running(workshop, tmp_path, max_wait_time=30, **FRAMES) as server, Desk(server) as desk:
        number = desk.ask("do here", "wait_until(lambda: server.stopping, 'told to stop', 30)")
        server.wait_for_notes("task")

        sigterm(server)

        assert desk.answer(number).value is True
        assert server.exit_status() == 0


def test_a_quiet_server_stops_at_once_although_clients_are_connected(tmp_path: Path) -> None:
    """A second for each client to read its last answer, and not as long as there is for work in hand."""
    workers = {"worker_num": 2, "task_worker_num": 2, "max_wait_time": 60}
    with running(workshop, tmp_path, **workers, **FRAMES) as server, Desk(server) as desk, server.connect() as silent:
        desk.do("echo", "x")
        began = time.monotonic()

        assert server.stop() == 0

        assert time.monotonic() - began < 20
        assert silent.recv(1) == b""


def every_event(server: Server) -> None:
    """Notes its life."""
    workshop(server)
    for event in ("manager_start", "manager_stop", "shutdown"):
        server.on(event, lambda server, event=event: note("life", event, server.worker_id, os.getpid()))
    for event in ("worker_start", "worker_stop"):
        server.on(event, lambda server, who, event=event: note("life", event, who, os.getpid()))


def test_the_callbacks_of_a_life_come_in_order_each_in_its_process(tmp_path: Path) -> None:
    with running(every_event, tmp_path, worker_num=2, task_worker_num=1, **FRAMES) as server:
        pids = {"worker 0": 0, "worker 1": 1, "task worker 0": 2}
        of = {worker_id: server.pid_of(title) for title, worker_id in pids.items()}
        assert server.stop() == 0

    life = server.notes("life")
    manager = server.process.pid
    assert life[0] == ["manager_start", -1, manager]
    assert life[-2:] == [["manager_stop", -1, manager], ["shutdown", -1, manager]]
    assert sorted(life[1:4]) == [["worker_start", each, of[each]] for each in range(3)]
    assert life[4] == ["worker_stop", 2, of[2]], "task workers leave first, their last words are still heard"
    assert sorted(life[5:7]) == [["worker_stop", each, of[each]] for each in range(2)]


def test_a_stop_while_it_is_still_starting_is_a_clean_one(tmp_path: Path) -> None:
    server = start(workshop, tmp_path, worker_num=2, task_worker_num=4, **FRAMES)
    wait_until(lambda: server.processes().get("task worker 0"), "a first child")

    assert server.stop() == 0

    server.check_no_trace()


def test_a_server_that_nohup_started_does_not_mind_the_end_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_START", "cold")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what is started goes on ignoring it
    try:
        server = start(workshop, tmp_path / "server", **HANDFULS)
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        server.wait_until_ready()
        worker = server.pid_of("worker 0")

        end_of_the_terminal(server)

        with Desk(server) as desk:
            assert desk.answer(desk.ask("echo", "still here")).value == "still here"
        assert server.pid_of("worker 0") == worker
        assert server.stop() == 0
        server.check_no_trace()
    finally:
        server.process.kill()
