"""`task_wait` and `task_wait_multi`: a coroutine waits for a task while the loop serves others."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Client, Server
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.workshop import FRAMES


def waiting_room(server: Server) -> None:
    """Each frame is a call, written as Python; its answer a line with what it gave or raised."""

    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        call, *arguments = ast.literal_eval(frame[4:].decode())
        try:
            if call == "wait":
                found: Any = await server.task_wait(*arguments)
            elif call == "wait many":
                found = await server.task_wait_multi(*arguments)
            elif call == "late":
                found = server.stats().tasks_late
            else:
                found = call
        except Exception as error:
            found = error
        server.send(fd, f"{found!r}\n")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, job: tuple[str, Any]) -> Any:
        verb, value = job
        if verb == "fail":
            raise ValueError(value)
        if verb == "wait for file":
            while not Path(value).exists():
                time.sleep(0.005)
        return None if verb == "nothing" else value

    @server.on("finish")
    @server.on("task_error")
    def not_called(*arguments: object) -> None:
        raise AssertionError("the one who waits gets it, and nobody else")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("waits")
    with running(waiting_room, directory, worker_num=1, task_worker_num=2, **FRAMES) as server:
        server.errors_are_fine = True  # tasks fail on purpose
        yield server


def ask(client: Client, *call: Any) -> str:
    client.send(repr(call))
    return client.read_line()


def test_who_waits_gets_the_result_itself(room: Running) -> None:
    with room.client() as client:
        assert ask(client, "wait", ("echo", [1, "二"]), 60.0) == "[1, '二']"
        assert ask(client, "wait", ("nothing", 0), 60.0) == "None"


def test_a_large_result_is_waited_for_like_a_small_one(room: Running) -> None:
    with room.client() as client:
        assert len(ask(client, "wait", ("echo", "x" * 100_000), 60.0)) == 100_002

    wait_until(lambda: not room.spill_files(), "the files are gone")


def test_an_exception_in_the_task_is_raised_where_it_is_waited_for(room: Running) -> None:
    with room.client() as client:
        assert ask(client, "wait", ("fail", "no such thing"), 60.0).startswith(
            "TaskFailed('ValueError', 'no such thing'"
        )


def test_others_are_served_while_somebody_waits(room: Running, tmp_path: Path) -> None:
    with room.client() as waiting, room.client() as other:
        waiting.send(repr(("wait", ("wait for file", str(tmp_path / "gate")), 60.0)))

        assert ask(other, "hello") == "'hello'"
        (tmp_path / "gate").touch()
        assert waiting.read_line() == repr(str(tmp_path / "gate"))


def test_a_result_that_comes_too_late_is_dropped_and_counted(room: Running, tmp_path: Path) -> None:
    with room.client() as client:
        before = int(ask(client, "late"))

        assert ask(client, "wait", ("wait for file", str(tmp_path / "gate")), 0.05).startswith("TaskTimeout(")

        (tmp_path / "gate").touch()
        wait_until(lambda: int(ask(client, "late")) == before + 1, "the late result is counted")


def test_several_are_waited_for_at_once_in_the_order_asked(room: Running, tmp_path: Path) -> None:
    jobs = [("echo", 1), ("fail", "two"), ("wait for file", str(tmp_path / "gate")), ("nothing", 0), ("echo", 5)]

    with room.client() as client:
        answer = ask(client, "wait many", jobs, 3.0)  # on a busy machine the quick ones take a while
        (tmp_path / "gate").touch()

    assert answer.startswith("[1, TaskFailed('ValueError', 'two'")
    assert "TaskTimeout(" in answer
    assert answer.endswith(", 3.0), None, 5]")


def test_a_task_worker_that_is_not_there_cannot_be_waited_for(room: Running) -> None:
    with room.client() as client:
        assert ask(client, "wait", ("echo", 1), 60.0, 2).startswith("UnknownWorker(")
