"""An InlineServer behaves as a server does: the same program, the same requests, the same answers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import Server, Settings
from engine.testing import InlineServer
from tests.integration.engine.servers import running, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

REQUESTS: dict[str, list[tuple[Any, ...]]] = {
    "values": [("echo", value) for value in (b"", "text", 7, None, [1, {"a": (2, 3)}], b"x" * 100_000)],
    "named": [
        ("echo", 1, 0),
        ("echo", 2, 1),
        ("echo", 3, -2),
        ("with callback", ("echo", "mine"), 0),
        ("with callback", ("raise", "no"), 0),
    ],
    "failures": [("raise", "no"), ("raise unpicklable",), ("return unpicklable",), ("return unreadable",)],
    "deaths": [("sys exit", 1), ("sys exit", 9)],
    "in a task": [
        ("do here", expression, 0)
        for expression in (
            "server.finish((server.worker_id, 1, 'first'))",
            "server.task(b'x')",
            "server.connections",
            "server.send_message('x', server.worker_id)",
            "server.send_message('x', 99)",
            "(server.worker_id, server.taskworker, server.attempt, server.stopping)",
            "(server.send(999, b'x'), server.close(999))",
            "str(_raised(lambda: server.send_message(Unpicklable(), 0)))",
        )
    ],
    "in an event worker": [
        ("here", f"str(_raised(lambda: {call}))")
        for call in (
            "server.finish(5)",
            "server.task(Unpicklable())",
            "server.task('x', 2)",
            "server.send_message('x', 0)",
        )
    ]
    + [
        ("here", expression)
        for expression in (
            "(server.worker_id, server.taskworker, server.attempt, server.stopping)",
            "(fd, server.connections, server.exists(fd), server.exists(999))",
            "(server.send(999, b'x'), server.close(999), server.get_client_info(999))",
            "sorted(server.get_client_info(fd))",
            "type(_raised(lambda: server.send(fd, 7)))",
        )
    ],
}


class InlineRunning:
    """As `running` gives it, as far as a Desk asks: reading runs the tasks."""

    def __init__(self, server: InlineServer) -> None:
        self._server = server

    def client(self) -> "InlineRunning":
        self._client = self._server.connect()
        self._unread = b""
        return self

    def send(self, body: bytes) -> None:
        self._client.send(len(body).to_bytes(4, "big") + body)

    def read(self, size: int) -> bytes:
        self._server.run_tasks()
        self._unread += self._client.take()
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def close(self) -> None:
        self._client.close()


@contextmanager
def inline_desk(**settings: Any) -> Iterator[Desk]:
    server = Server("127.0.0.1", 0, Settings(**settings))
    workshop(server)
    with InlineServer(server, raise_errors=False) as inline, Desk(InlineRunning(inline)) as desk:  # type: ignore[arg-type]
        yield desk


@contextmanager
def real_desk(directory: Path, **settings: Any) -> Iterator[Desk]:
    with running(workshop, directory, **settings) as server, Desk(server) as desk:
        server.errors_are_fine = True
        yield desk


def answers(desk: Desk, requests: list[tuple[Any, ...]]) -> list[str]:
    """What the client gets for each, as text: a traceback's lines differ, and are no promise."""
    got = [desk.do(*request) for request in requests]
    return [f"{each.kind} {each.task_id} {each.worker_id} {each.attempt} {_plain(each.value)}" for each in got]


def _plain(value: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:200]


def counts(desk: Desk) -> dict[str, int]:
    """The numbers of tasks, once they are quiet."""

    def quiet() -> dict[str, Any] | None:
        stats = desk.stats()
        return None if stats["tasks_waiting"] or stats["tasks_running"] else stats

    stats = wait_until(quiet, "no task is under way")
    return {name: count for name, count in stats.items() if name.startswith("tasks_") or name.endswith("_count")}


@pytest.mark.parametrize("topic", REQUESTS)
def test_a_client_gets_the_same_from_both(topic: str, tmp_path: Path) -> None:
    # "named" asks for both task workers; elsewhere there is one, so that it is known who does what
    workers = {"worker_num": 1, "task_worker_num": 2 if topic in ("named", "in an event worker") else 1}
    settings = {**workers, **FRAMES, "task_max_attempts": 2}  # a worker that dies often is replaced ever later

    with real_desk(tmp_path / "real", **settings) as desk:
        real = answers(desk, REQUESTS[topic]), counts(desk)
    with inline_desk(**settings) as desk:
        inline = answers(desk, REQUESTS[topic]), counts(desk)

    assert inline == real
