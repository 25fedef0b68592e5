"""How connections end, and how they wait: nothing that was said is lost on the way, in either direction."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine import Server
from engine.worker import connection as connection_module
from tests.integration.engine.inside import note
from tests.integration.engine.servers import running

FRAMES: dict[str, Any] = {"open_length_check": True, "package_body_offset": 4, "task_worker_num": 0}
LARGE = 8_000_000
CHATTER = b"x" * 60_000


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def words(server: Server) -> None:
    """Answers each frame with itself; a few words do more. The hooks are called as the worker does it."""

    def clients() -> Any:
        return server._worker._clients  # type: ignore[union-attr]

    async def resume_at(gate: Path) -> None:
        while not gate.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.005)
        clients().resume()

    at_work = set()

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        note("receive", frame[4:40].decode())
        match frame[4:].split(b" "):
            case [b"answer"]:
                server.send(fd, b"x" * LARGE)
            case [b"close"]:
                server.send(fd, b"x" * LARGE)
                note("closed", server.close(fd), server.exists(fd), server.send(fd, b"more"))
            case [b"pause", gate]:
                clients().pause()
                at_work.add(asyncio.ensure_future(resume_at(Path(gate.decode()))))
            case [b"idle", quiet_s]:
                note("idle", clients().close_idle(float(quiet_s)))
            case _:
                server.send(fd, frame)

    @server.on("worker_exit")
    def worker_exit(server: Server, worker_id: int) -> None:
        note("worker_exit", worker_id)

    @server.on("close")
    def close(server: Server, fd: int, reactor_id: int) -> None:
        note("close", fd, server.exists(fd))


@contextmanager
def chatterbox(connection: socket.socket) -> Iterator[None]:
    """A client that goes on sending, whatever it is told."""
    over = threading.Event()

    def send() -> None:
        with suppress(OSError):
            while not over.is_set():
                connection.sendall(framed(CHATTER))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def read_all(connection: socket.socket) -> int:
    """How many bytes come until the end of the stream; raises for a reset."""
    return len(connection.makefile("rb").read())


def words_and_patience(server: Server) -> None:
    """The same; a client that is slow to read its answer, on a busy machine, has time for it."""
    connection_module.LINGER_S = 30.0
    words(server)


SLOW = {"buffer_output_size": 2**24, **FRAMES}


def test_an_answer_before_a_close_reaches_a_client_that_never_stops_sending(tmp_path: Path) -> None:
    with running(words_and_patience, tmp_path, **SLOW) as server, server.connect() as connection:
        connection.sendall(framed(b"close"))
        with chatterbox(connection):
            assert read_all(connection) == LARGE

    assert server.notes("closed") == [[True, False, False]]
    assert server.notes("close") == [[1, False]]
    assert server.notes("receive") == [["close"]]


def test_an_answer_before_a_stop_reaches_a_client_that_never_stops_sending(tmp_path: Path) -> None:
    with running(words_and_patience, tmp_path, max_wait_time=30, **SLOW) as server, server.connect() as connection:
        connection.sendall(framed(b"answer"))
        server.wait_for_notes("receive")
        server.send_signal(15)
        server.wait_for_notes("worker_exit")
        with chatterbox(connection):
            more = read_all(connection) - LARGE
            assert more >= 0
            assert more % len(framed(CHATTER)) == 0  # what it reads before it reads no more, it answers
        assert server.exit_status() == 0

    assert server.log("clients did not take all that was sent") == []


def test_a_client_that_never_closes_is_gone_soon_after_it_was_closed(tmp_path: Path) -> None:
    with running(words, tmp_path, **SLOW) as server, server.connect() as connection:
        connection.sendall(framed(b"close"))
        assert read_all(connection) == LARGE

        assert server.wait_for_notes("close") == [[1, False]]


def test_frames_that_came_during_a_pause_are_answered_after_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    burst = b"".join(framed(b"%d" % number) for number in range(1000))
    with running(words, tmp_path / "server", **FRAMES) as server, server.connect() as connection:
        connection.sendall(framed(b"pause " + bytes(gate)) + burst)
        server.wait_for_notes("receive")
        with server.connect() as late:
            late.sendall(framed(b"late"))
            late.shutdown(socket.SHUT_WR)
            connection.sendall(framed(b"last"))
            connection.shutdown(socket.SHUT_WR)
            assert server.notes("receive") == [[f"pause {gate}"[:36]]]
            gate.touch()

            assert connection.makefile("rb").read() == burst + framed(b"last")
            assert late.makefile("rb").read() == framed(b"late")


def test_a_pause_carries_its_pressure_to_the_client(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(words, tmp_path / "server", **SLOW) as server, server.connect() as connection:
        connection.sendall(framed(b"pause " + bytes(gate)))
        server.wait_for_notes("receive")
        connection.settimeout(0.2)
        sent = 0
        with suppress(TimeoutError):
            while sent < 2**28:
                sent += connection.send(framed(b"x" * 60_000))

        assert sent < 2**26, "what a socket buffer holds, and no more"
        connection.close()  # first of all: whoever takes no answers makes `send` raise by and by
        gate.touch()


def test_a_leaving_worker_closes_who_is_quiet_and_keeps_who_is_in_the_middle(tmp_path: Path) -> None:
    with running(words, tmp_path, **FRAMES) as server, server.connect() as quiet, server.connect() as busy:
        quiet.sendall(framed(b"hello"))
        assert quiet.recv(100) == framed(b"hello")
        busy.sendall(framed(b"in two parts")[:7])
        with server.connect() as asking:
            asking.sendall(framed(b"idle 0"))

            assert server.wait_for_notes("idle") == [[1]]
            assert quiet.recv(1) == b""
            assert asking.recv(1) == b""
        busy.sendall(framed(b"in two parts")[7:])
        assert busy.recv(100) == framed(b"in two parts")
