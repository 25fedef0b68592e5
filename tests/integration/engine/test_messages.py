"""send_message: from any process to any other."""

import asyncio
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Server, UnknownWorker
from tests.integration.engine import inside
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until

EVENT_WORKERS, TASK_WORKERS = 2, 2


def post(server: Server) -> None:
    """A frame is (route, message): the message goes through the workers of the route, from where the frame came in."""

    def pass_on(server: Server, route: list[int], message: Any) -> None:
        if not route:
            return
        try:
            server.send_message((route[1:], message), route[0])
        except UnknownWorker as error:
            note("refused", server.worker_id, str(error))

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        route, message = pickle.loads(frame[4:])
        note("received", server.worker_id)
        pass_on(server, [server.worker_id if each == "self" else each for each in route], message)

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: Any) -> None:
        route, content = message
        note("heard", server.worker_id, src_worker_id, len(content), content[:20])
        if content == "raise" and not route:
            raise ValueError("in pipe_message")
        pass_on(server, route, content)

    @server.on("task")
    def task(*args: object) -> None: ...


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    frames = {"open_length_check": True, "package_body_offset": 4}
    workers = {"worker_num": EVENT_WORKERS, "task_worker_num": TASK_WORKERS}
    with running(post, tmp_path_factory.mktemp("office"), **workers, **frames) as server:
        server.errors_are_fine = True  # one callback raises on purpose
        yield server


def send(office: Running, route: list[int | str], message: str) -> int:
    """Send a message on its way; the event worker it starts from."""
    before = len(office.notes("received"))
    with office.client() as client:
        client.send(pickle.dumps((route, message)))
        (start,) = office.wait_for_notes("received", before + 1)[-1]
    return int(start)


def heard(office: Running, count: int) -> list[list[Any]]:
    return office.wait_for_notes("heard", count)


@pytest.mark.parametrize("message", ["short", "long" * 10_000], ids=["inline", "in a file"])
def test_a_message_passes_every_kind_of_worker(office: Running, message: str) -> None:
    before = len(office.notes("heard"))
    # event → task → task → event → event → task, without one to itself wherever it starts
    first = send(office, [2, 3, 0, 1, 2], message)

    notes = heard(office, before + 5)[before:]

    assert notes == [
        [2, first, len(message), message[:20]],
        [3, 2, len(message), message[:20]],
        [0, 3, len(message), message[:20]],
        [1, 0, len(message), message[:20]],
        [2, 1, len(message), message[:20]],
    ]
    wait_until(lambda: not office.spill_files(), "no file left")


@pytest.mark.parametrize("route", [["self"], [4], [-1], [1000], [2, 2], [3, 4], [2, 0, 0]])
def test_a_message_to_oneself_or_to_nobody_is_refused(office: Running, route: list[int | str]) -> None:
    before = len(office.notes("refused"))
    start = send(office, route, "x")

    who, error = office.wait_for_notes("refused", before + 1)[-1]

    assert who == (start if len(route) == 1 else route[-2])
    assert error.endswith(f"cannot be addressed, others here are 0 to 3 without {who}")


def test_messages_of_one_sender_arrive_in_order(office: Running) -> None:
    before = len(office.notes("heard"))
    with office.client() as client:
        for number in range(200):
            client.send(pickle.dumps(([3], f"{number:04}" * (1 + number % 3 * 2000))))
        notes = heard(office, before + 200)[before:]

    assert [content[:4] for *_, content in notes] == [f"{number:04}" for number in range(200)]


@pytest.mark.parametrize("route", [[2, 0], [2, 1], [2], [3]], ids=lambda route: f"worker {route[-1]}")
def test_a_callback_that_raises_is_logged_and_the_worker_lives(office: Running, route: list[int | str]) -> None:
    pids = office.processes()
    before = len(office.log("callback raised"))

    send(office, route, "raise")

    (line,) = wait_until(lambda: office.log("callback raised")[before:], "the line in the log")
    assert line["event"] == "pipe_message"
    assert "ValueError: in pipe_message" in line["trace"]
    assert office.processes() == pids


def large_words_of_one_that_dies(server: Server) -> None:
    server.on("receive", lambda *args: None)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        note("worker_start", worker_id)
        if worker_id == 0 and len([1 for line in _notes() if '"worker_start", 0]' in line]) == 1:
            server.task("hold the task worker up")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: str) -> None:
        server.send_message("say something", 0)
        while sum('"worker_start", 0]' in line for line in _notes()) < 2:
            time.sleep(0.005)

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: str) -> None:
        if server.taskworker:
            note("heard", len(message))
        else:
            server.send_message("x" * 20_000, 1)
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGKILL)


def _notes() -> list[str]:
    return inside._notes_path.read_text().splitlines()


def test_a_large_message_of_an_event_worker_that_dies_before_it_is_read_arrives(tmp_path: Path) -> None:
    with running(large_words_of_one_that_dies, tmp_path) as server:
        assert server.wait_for_notes("heard")[0] == [20_000]


def flooding(server: Server) -> None:
    """Event worker 0 says so much to a task worker that sleeps that the most of it waits here, and is then renewed."""
    server.on("receive", lambda *args: None)
    server.on("task", lambda server, task_id, src_worker_id, seconds: time.sleep(seconds))
    flooded = Path(server.settings.task_tmpdir).parent / "flooded"

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        if worker_id == 0 and not flooded.exists():
            server.task(1.5)
            server.after(300, flood)

    def flood() -> None:
        for number in range(3000):
            server.send_message((number, b"x" * 4000), 1)
        flooded.touch()
        note("flooded")
        server.reload()

    @server.on("pipe_message")
    def pipe_message(server: Server, src_worker_id: int, message: tuple[int, bytes]) -> None:
        note("heard", message[0])


def test_what_an_event_worker_said_is_delivered_though_it_leaves_before_it_is_read(tmp_path: Path) -> None:
    with running(flooding, tmp_path, max_wait_time=20) as server:
        server.wait_for_notes("flooded")
        server.wait_for_notes("heard", 3000, within_s=40)

        assert sorted(number for (number,) in server.notes("heard")) == list(range(3000))
