"""Limits on clients: how many there may be, and how long they may keep silent. With real sockets."""

import re
import resource
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine import Server
from engine.worker import connection as connection_module
from tests.integration.engine.inside import note
from tests.integration.engine.servers import running, start, wait_until

FRAMES: dict[str, Any] = {"open_length_check": True, "package_body_offset": 4, "task_worker_num": 0}


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def echo(server: Server) -> None:
    """However slow the machine is, one that was disconnected and goes on sending finds the stream at its end."""
    connection_module.LINGER_S = 30.0

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        note("files", *resource.getrlimit(resource.RLIMIT_NOFILE))

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        server.send(fd, frame)

    @server.on("close")
    def close(server: Server, fd: int, reactor_id: int) -> None:
        note("close", fd)


# ── how many ────────────────────────────────────────────────────────────────────────────────────


def test_over_all_workers_no_more_than_max_conn_are_served_and_a_place_that_is_left_is_free(tmp_path: Path) -> None:
    with running(echo, tmp_path, worker_num=2, max_conn=3, **FRAMES) as server, ExitStack() as stack:
        served = [stack.enter_context(server.client()) for _ in range(3)]
        for client in served:
            client.send("x")
            assert client.read(5) == framed(b"x")

        with server.connect() as surplus:
            peer = "{}:{}".format(*surplus.getsockname())
            assert surplus.recv(1) == b""
        (line,) = wait_until(lambda: server.log("max_conn is reached"), "a line in the log")
        assert (line["level"], line["peer"], line["limit"]) == ("WARNING", peer, 3)

        served[0].close()
        server.wait_for_notes("close")
        with server.client() as another:
            another.send("y")
            assert another.read(5) == framed(b"y")


@pytest.mark.parametrize(("hard", "says"), [(700, []), (400, [{"max_conn": 500}])])
def test_the_limit_of_open_files_is_raised_or_it_is_said_what_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard: int, says: list[dict[str, int]]
) -> None:
    with_limits(monkeypatch, 100, hard)
    with running(echo, tmp_path, max_conn=500, **FRAMES) as server:
        lines = server.log("limit of open files")
        ((soft, at_most),) = server.wait_for_notes("files")

        assert [{"max_conn": line["max_conn"]} for line in lines] == says
        assert all(300 < line["connections"] < hard - 64 for line in lines)
        assert (soft, at_most) == (hard, hard) if says else 564 < soft < 700


# ── how long ────────────────────────────────────────────────────────────────────────────────────


def test_a_silent_client_is_disconnected_and_one_that_speaks_is_not(tmp_path: Path) -> None:
    with (
        running(echo, tmp_path, heartbeat_idle_time=3, heartbeat_check_interval=0.1, **FRAMES) as server,
        server.client() as speaking,
        server.connect() as silent,
    ):
        peer = "{}:{}".format(*silent.getsockname())

        def said() -> list[dict[str, Any]]:
            speaking.send("x")
            assert speaking.read(5) == framed(b"x")
            return server.log("idle client disconnected")

        (line,) = wait_until(said, "a line in the log")
        assert silent.recv(1) == b""
        assert line["peer"] == peer
        assert line["silent_s"] >= 3


def test_a_frame_that_trickles_in_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with (
        running(echo, tmp_path, frame_timeout_s=0.4, **FRAMES) as server,
        server.client() as quick,
        server.connect() as slow,
    ):
        peer = "{}:{}".format(*slow.getsockname())
        slow.sendall(struct.pack(">I", 1_000_000))

        def said() -> list[dict[str, Any]]:
            slow.sendall(b".")
            quick.send("x")
            assert quick.read(5) == framed(b"x")
            return server.log("frame was not complete in time")

        (line,) = wait_until(said, "a line in the log")
        assert slow.recv(1) == b""
        assert line["peer"] == peer
        assert line["waited_s"] >= 0.4


# ── how many workers ────────────────────────────────────────────────────────────────────────────


def with_limits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
    """Let servers start with these limits of open files."""
    popen = subprocess.Popen

    def limited(command: list[str], **options: Any) -> Any:
        return popen(["sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"', "sh", *command], **options)

    monkeypatch.setattr(subprocess, "Popen", limited)
    monkeypatch.setenv("TESTS_START", "cold")


MANY: dict[str, Any] = {"worker_num": 2, "task_worker_num": 20, "max_conn": 10, "max_wait_time": 20}


def idle(server: Server) -> None:
    server.on("receive", lambda *_: None)
    server.on("task", lambda *_: None)


def test_more_workers_start_than_the_soft_limit_of_open_files_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_limits(monkeypatch, 40, 300)
    with running(idle, tmp_path, **MANY) as server:
        assert len(server.processes()) == 1 + 2 + 20
        assert server.log("limit of open files") == []


def test_more_workers_than_the_hard_limit_allows_are_refused_with_the_number_that_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_limits(monkeypatch, 40, 100)
    server = start(idle, tmp_path, **MANY)

    assert server.exit_status() == 1
    (said,) = [line for line in server.stderr().splitlines() if line.startswith("engine.errors.StartError")]
    needed, hard = re.findall(r"\d+", said)
    assert 140 < int(needed) < 220
    assert hard == "100"
