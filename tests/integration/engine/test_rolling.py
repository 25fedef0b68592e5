"""Rolling reload of real servers: nobody is refused, no answer is lost, tasks go on."""

import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server
from engine.worker import worker
from tests.integration.engine.servers import Running, is_alive, running, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

PLACES: dict[str, Any] = {"worker_num": 2, "task_worker_num": 2, **FRAMES}
PATIENT: dict[str, Any] = {"max_wait_time": 120, **PLACES}


def patient_workshop(server: Server) -> None:
    """One that leaves does not take a client for quiet that did not get to run on a busy machine."""
    worker._QUIET_S = 10.0
    workshop(server)


class Hammer(threading.Thread):
    """A client that asks again and again until told to stop; with `anew`, each time on a new connection."""

    def __init__(self, server: Running, *, anew: bool) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._anew = anew
        self._is_over = threading.Event()
        self.answers = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self._is_over.is_set():
                self._ask()
        except Exception as error:
            self.error = error

    def _ask(self) -> None:
        with Desk(self._server) as desk:
            while True:
                assert desk.do("echo", self.answers).value == self.answers
                self.answers += 1
                if self._anew or self._is_over.is_set():
                    return

    def stop(self) -> None:
        self._is_over.set()
        self.join(60)
        assert self.error is None, self.error


def reload(server: Running, number: int = signal.SIGUSR1) -> None:
    """Reload, and wait until all old processes are gone."""
    ends = len(server.log("reload ended"))
    before = {pid for title, pid in server.family() if title != "manager"}
    if number == signal.SIGUSR2:
        before = {pid for title, pid in server.family() if title.startswith("task worker")}
    server.send_signal(number)
    wait_until(lambda: len(server.log("reload ended")) > ends, "the reload ended")
    wait_until(lambda: not any(map(is_alive, before)), "the old ones are gone")


@pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name.lower())
def test_while_everything_is_reloaded_no_connection_is_refused_and_no_answer_lost(
    tmp_path: Path, mode: IpcMode
) -> None:
    with running(patient_workshop, tmp_path, task_ipc_mode=mode, **PATIENT) as server:
        hammers = [Hammer(server, anew=True) for _ in range(3)]
        for hammer in hammers:
            hammer.start()
        wait_until(lambda: all(hammer.answers > 10 for hammer in hammers), "all hammer")
        pids = set(server.processes().values())

        for _ in range(3):
            reload(server)

        for hammer in hammers:
            hammer.stop()
        assert set(server.processes().values()) & pids == {server.process.pid}
        with Desk(server) as desk:
            stats = wait_until(lambda: quiet(desk), "a quiet moment")
        assert stats is not None
        assert stats["tasks_submitted"] == stats["tasks_done"] == sum(hammer.answers for hammer in hammers)
        assert stats["connection_num"] == 1


def quiet(desk: Desk) -> dict[str, Any] | None:
    stats = desk.stats()
    return None if stats["tasks_waiting"] or stats["tasks_running"] or stats["connection_num"] > 1 else stats


def test_a_client_that_waits_for_its_task_gets_the_answer_over_a_reload(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **PATIENT) as server, Desk(server) as desk:
        number = desk.ask("sleep", 1.0)
        wait_until(lambda: server.notes("task"), "it is at work")

        server.send_signal(signal.SIGUSR1)

        assert desk.answer(number).value == 1.0


def test_a_client_that_pauses_for_moments_only_is_let_go_in_time(tmp_path: Path) -> None:
    with running(workshop, tmp_path, max_wait_time=8, **PLACES) as server:  # which is told when 5 of them are over
        talkers = [Talker(server) for _ in range(4)]
        for talker in talkers:
            talker.start()
        wait_until(lambda: all(talker.answers for talker in talkers), "all talk")

        reload(server)

        for talker in talkers:
            talker.stop()
        assert not server.log("child did not leave in time, killed")


def test_a_connection_of_a_leaving_worker_is_served_while_it_has_something_to_say(tmp_path: Path) -> None:
    with running(patient_workshop, tmp_path, **PATIENT) as server:
        steady = Hammer(server, anew=False)
        steady.start()
        wait_until(lambda: steady.answers > 10, "it hammers")

        server.send_signal(signal.SIGUSR1)
        wait_until(lambda: server.log("reload ended"), "the reload ended")
        so_far = steady.answers
        wait_until(lambda: steady.answers > so_far + 200, "it is served on")

        steady.stop()


def test_a_task_that_was_begun_before_the_reload_is_answered_to_who_asked(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(patient_workshop, tmp_path / "server", **PATIENT) as server, Desk(server) as desk:
        long_one = desk.ask("wait for file", str(gate))
        wait_until(lambda: server.notes("task"), "begun")

        server.send_signal(signal.SIGUSR1)
        wait_until(lambda: server.log("reload ended"), "the reload ended")
        gate.touch()

        assert desk.answer(long_one).kind == "finish"
        with Desk(server) as another:  # who has no answer to come is let go
            assert another.do("echo", 1).attempt == 1


def test_a_task_that_outlives_the_patience_is_done_again_by_the_new_worker(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", max_wait_time=0.5, **PLACES) as server, Desk(server) as desk:
        long_one = desk.ask("wait for file", str(gate))
        wait_until(lambda: server.notes("task"), "begun")

        reload(server, signal.SIGUSR2)
        wait_until(lambda: len(server.notes("task")) == 2, "begun again")
        gate.touch()

        answer = desk.answer(long_one)
        assert (answer.kind, answer.attempt) == ("finish", 2)


def test_tasks_that_wait_in_an_event_worker_that_leaves_are_done_by_the_one_that_follows(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    settings = {**PLACES, "worker_num": 1, "task_worker_num": 1}
    with running(workshop, tmp_path / "server", max_wait_time=0.5, **settings) as server:
        with Desk(server) as desk:
            desk.ask("wait for file", str(gate))
            for number in range(100):
                desk.ask("echo", number)
            wait_until(lambda: desk.stats()["tasks_submitted"] == 101, "all are submitted")

        reload(server)
        gate.touch()

        finished = wait_until(lambda: server.notes("finish") if len(server.notes("finish")) >= 101 else None, "done")
        assert finished is not None
        assert sorted(task_id for (task_id,) in finished) == sorted({task_id for (task_id,) in finished})
        with Desk(server) as desk:
            stats = wait_until(lambda: quiet(desk), "a quiet moment")
            assert stats["tasks_submitted"] == stats["tasks_done"] == 101
            assert stats["tasks_orphaned"] == 0  # they are for `finish`, which is there


def test_the_row_of_an_event_worker_has_the_tasks_that_it_took_over_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    settings = {**PLACES, "worker_num": 1, "task_worker_num": 1}
    with running(workshop, tmp_path / "server", max_wait_time=0.5, **settings) as server:
        with Desk(server) as desk:
            for _ in range(10):
                desk.ask("wait for file", str(gate))
            wait_until(lambda: server.notes("task") and desk.stats()["tasks_submitted"] == 10, "all are submitted")

        reload(server)
        with Desk(server) as desk:
            wait_until(lambda: desk.stats()["oldest_waiting_s"], "a beat saw them wait")
            stats = desk.stats()
            gate.touch()

        (row,) = stats["event_workers"]
        assert row["pid"] == server.pid_of("worker 0")
        assert (row["tasks_waiting"] + row["tasks_under_way"], row["tasks_under_way"] > 0) == (10, True)
        assert stats["queue_bytes"] == row["queue_bytes"] > 0


@pytest.mark.parametrize("how", ["from an event worker", "from a task worker"])
def test_a_program_can_reload_its_task_workers(tmp_path: Path, how: str) -> None:
    with running(workshop, tmp_path, **PLACES) as server, Desk(server) as desk:
        before, count = server.processes(), len(server.family())

        verb = "here" if how == "from an event worker" else "do here"
        desk.do(verb, "server.reload(only_task_workers=True)")
        wait_until(lambda: server.log("reload ended"), "the reload ended")
        wait_until(lambda: len(server.family()) == count, "the old ones are gone")

        after = server.processes()
        changed = {title for title in before if before[title] != after.get(title)}
        assert changed == {"task worker 0", "task worker 1"}


def test_a_program_can_shut_the_server_down(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **PLACES) as server, Desk(server) as desk:
        desk.ask("here", "server.shutdown()")

        assert server.exit_status() == 0


def test_workers_that_die_while_a_reload_runs_are_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **PLACES) as server:
        hammers = [Patient(server, anew=False) for _ in range(2)]
        for hammer in hammers:
            hammer.start()
        wait_until(lambda: all(hammer.answers for hammer in hammers), "all hammer")

        for title in ("worker 0", "task worker 1", "worker 1", "task worker 0"):
            server.send_signal(signal.SIGUSR1)
            server.kill(title)
        wait_until(lambda: len(server.log("reload ended")) >= 1 and not is_reloading(server), "reloads ended", 60)

        for hammer in hammers:
            hammer.stop()
        stats = wait_until(lambda: asked_anew(server), "a quiet moment")
        assert stats is not None
        # One that dies after it sent a task and before it noted that, has it done twice; the reload that follows lets
        # the one leave that heard of the first time.
        assert stats["tasks_done"] - stats["tasks_submitted"] in range(4)
        assert (stats["tasks_waiting"], stats["tasks_failed"], stats["tasks_lost"]) == (0, 0, 0)


def asked_anew(server: Running) -> dict[str, Any] | None:
    """The numbers at a quiet moment; an event worker that leaves may let go of who asks."""
    with suppress(OSError), Desk(server) as desk:
        return quiet(desk)
    return None


class Talker(Hammer):
    """One that rests between its words, far shorter than what counts as silence."""

    def __init__(self, server: Running) -> None:
        super().__init__(server, anew=False)

    def _ask(self) -> None:
        with suppress(OSError), Desk(self._server) as desk:  # closed while it rested
            while not self._is_over.wait(0.05):
                desk.do("echo", 1)
                self.answers += 1


class Patient(Hammer):
    """One that connects again when its event worker dies."""

    def _ask(self) -> None:
        try:
            super()._ask()
        except OSError:
            return


def is_reloading(server: Running) -> bool:
    return len(server.log("reload begins")) != len(server.log("reload ended"))
