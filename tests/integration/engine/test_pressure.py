"""Clients that are faster than the tasks: held back, never lost, and nobody else notices."""

import asyncio
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.test_queues import quiet_stats
from tests.integration.engine.workshop import FRAMES, Answer, Desk, workshop

LIMIT = 2**20
BODY = b"b" * 10_000
"""Above 8 KiB it lies in a file, and counts all the same."""


class Flood(threading.Thread):
    """A client that sends until all is sent, however long that takes, and reads its answers in another thread."""

    def __init__(self, server: Running, bodies: list[Any]) -> None:
        super().__init__(daemon=True)
        self._client = server.client(timeout_s=60)
        self.bodies = bodies
        self.sent = 0
        self.answers: dict[int, Answer] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)

    def run(self) -> None:
        self._reader.start()
        for number, body in enumerate(self.bodies):
            self._client.send(pickle.dumps((number, "echo", body, -1)))
            self.sent += 1

    def _read(self) -> None:
        while len(self.answers) < len(self.bodies):
            head = self._client.read(4)
            number, answer = pickle.loads(self._client.read(int.from_bytes(head, "big")))
            self.answers[number] = answer

    def wait(self) -> None:
        self.join(120)
        self._reader.join(120)
        self._client.close()


def desk_on(server: Running, worker_id: int) -> Desk:
    """A connection to this event worker."""

    def found() -> Desk | None:
        desk = Desk(server)
        if desk.do("here", "server.worker_id").value == worker_id:
            return desk
        desk.close()
        return None

    desk = wait_until(found, f"a connection to worker {worker_id}")
    assert desk is not None
    return desk


def flood_on(server: Running, worker_id: int, bodies: list[Any]) -> Flood:
    while True:
        flood = Flood(server, bodies)
        flood._client.send(pickle.dumps((-1, "here", "server.worker_id", -1)))
        head = flood._client.read(4)
        _, answer = pickle.loads(flood._client.read(int.from_bytes(head, "big")))
        if answer.value == worker_id:
            return flood
        flood._client.close()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("size", [100, 10_000], ids=["small", "in files"])
def test_a_client_faster_than_the_tasks_is_held_back_and_loses_nothing(
    tmp_path: Path, mode: IpcMode, size: int
) -> None:
    gate, count = tmp_path / "gate", 60_000_000 // (size + 3000)
    settings: dict[str, Any] = {"task_queue_max_bytes": LIMIT, "task_ipc_mode": mode, "worker_num": 2, **FRAMES}
    settings["buffer_output_size"] = 2**27  # on a busy machine who reads the answers may be behind by all of them
    with running(workshop, tmp_path / "server", **settings) as server:
        desk, neighbour = desk_on(server, 0), desk_on(server, 1)
        stuck = neighbour.ask("wait for file", str(gate))
        wait_until(lambda: server.notes("task"), "the task worker is busy")
        flood = flood_on(server, 0, [BODY[:size]] * count)
        flood.start()

        wait_until(lambda: is_held_back(flood, neighbour), "the client is held back", 60)
        assert neighbour.stats()["queue_bytes"] <= LIMIT
        behind = desk.ask("here", "1")  # waits like every client of this worker
        gate.touch()

        flood.wait()
        assert neighbour.answer(stuck).kind == "finish"
        assert desk.answer(behind).value == 1
        assert len(flood.answers) == count
        assert {answer.kind for answer in flood.answers.values()} == {"finish"}
        wait_until(lambda: desk.stats()["queue_bytes"] == 0, "nothing waits")
        wait_until(lambda: not server.spill_files(), "no file is left")
        desk.close()
        neighbour.close()


def is_held_back(flood: Flood, desk: Desk) -> bool:
    """Neither the client nor the server gets on, though much waits; on a busy machine a client may rest on its own."""
    before = flood.sent, desk.stats()["tasks_submitted"]
    for _ in range(50):
        desk.do("here", "1")
    if desk.stats()["queue_bytes"] <= LIMIT // 2:
        return False
    return before == (flood.sent, desk.stats()["tasks_submitted"]) and 1 < before[1] < len(flood.bodies)


def test_a_task_beyond_the_limit_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(workshop, tmp_path / "server", task_queue_max_bytes=2**16, **FRAMES) as server, Desk(server) as desk:
        stuck = desk.ask("wait for file", str(gate))
        wait_until(lambda: server.notes("task"), "the task worker is busy")

        answer = desk.do(
            "here", "type(_raised(lambda: [server.task(('echo', 'q' * 5000)) for _ in range(100)])).__name__"
        )

        assert answer.value == "TaskQueueFull"
        gate.touch()
        assert desk.answer(stuck).kind == "finish"
        stats = wait_until(lambda: quiet_stats(desk), "all are done")
        assert stats is not None
        assert stats["tasks_submitted"] == stats["tasks_done"]
        assert desk.do("echo", b"L" * 200_000).value == b"L" * 200_000  # one of any size, where nothing waits


def all_at_once(server: Server) -> None:
    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        try:
            server.task(frame)
        except Exception as error:
            note("refused", type(error).__name__)
        await asyncio.sleep(0)

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> int:
        time.sleep(0.001)
        return len(data)

    @server.on("finish")
    def finish(server: Server, task_id: int, length: int) -> None:
        note("finish", length)


@pytest.mark.parametrize(("size", "limit"), [(100, 2**16), (4_000, 2**20)])
def test_coroutines_of_receive_are_held_back_as_functions_are(tmp_path: Path, size: int, limit: int) -> None:
    frame = size.to_bytes(4, "big") + b"x" * size
    with running(all_at_once, tmp_path, task_queue_max_bytes=limit, **FRAMES) as server, server.connect() as client:
        client.sendall(frame * 1000)

        wait_until(lambda: len(server.notes("finish")) + len(server.notes("refused")) == 1000, "all are done", 60)
        assert not server.notes("refused")
