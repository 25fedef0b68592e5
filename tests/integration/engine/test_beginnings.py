"""What a program may do before its workers are ready."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import running, wait_until


def early_bird(server: Server) -> None:
    server.on("receive", lambda server, fd, reactor_id, data: server.send(fd, data))

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        if not server.taskworker:
            for number in range(5):
                server.task(number)

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, number: int) -> int:
        return number

    @server.on("finish")
    def finish(server: Server, task_id: int, number: int) -> None:
        note("finish", number)


@pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name.lower())
def test_tasks_of_worker_start_are_done_once_each_over_deaths_too(tmp_path: Path, mode: IpcMode) -> None:
    with running(early_bird, tmp_path, task_ipc_mode=mode) as server:
        wait_until(lambda: len(server.notes("finish")) == 5, "five are done")
        with server.client() as client:  # who answers is through with them: one that is not is called again
            client.send_raw(b"?")
            assert client.read(1) == b"?"
        server.kill("worker 0")
        wait_until(lambda: len(server.notes("finish")) >= 10, "the next process has five of its own")

        assert sorted(number for (number,) in server.notes("finish")) == sorted([*range(5)] * 2)


def impatient(server: Server) -> None:
    server.on("receive", lambda *_: None)

    async def ask(server: Server) -> None:
        try:
            await server.task_wait("x", timeout=60)
        except Exception as error:
            note("refused", type(error).__name__, str(error))

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> Coroutine[Any, Any, None] | None:
        return None if server.taskworker else ask(server)

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: str) -> str:
        return data


def test_waiting_for_a_task_in_worker_start_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with running(impatient, tmp_path) as server:
        ((name, why),) = server.notes("refused")

    assert name == "UsageError"
    assert why.startswith("task_wait() cannot be awaited in worker_start")
