"""Clients and their bytes: frames, bad frames, half-closed and slow connections."""

import asyncio
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Client, SendBufferFull, Server, Settings
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until

FRAMES: dict[str, Any] = {"open_length_check": True, "package_body_offset": 4, "package_max_length": 2**20}


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def echo(server: Server) -> None:
    """Answers each frame with itself; a few words do more."""

    @server.on("connect")
    def connect(server: Server, fd: int, reactor_id: int) -> None:
        note("connect", fd, server.worker_id)

    @server.on("close")
    def close(server: Server, fd: int, reactor_id: int) -> None:
        note("close", fd, server.exists(fd))

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        match frame[4:].split(b" "):
            case [b"raise"]:
                raise ValueError("in receive")
            case [b"close"]:
                server.send(fd, b"bye\n")
                note("closed", server.close(fd), server.send(fd, b"more"), server.close(fd))
            case [b"info"]:
                note(
                    "info", server.get_client_info(fd), server.connections, server.exists(fd), server.exists(fd + 1000)
                )
            case [b"large"]:
                server.send(fd, b"x" * 3_000_000)
            case [b"flood"]:
                sent = 0
                try:
                    while True:
                        server.send(fd, b"x" * 100_000)
                        sent += 1
                except SendBufferFull as error:
                    note("full", sent, error.waiting_bytes, error.limit_bytes)
            case [b"to", other]:
                server.send(int(other), framed(b"from a neighbour"))
            case _:
                server.send(fd, frame)

    @server.on("task")
    def task(*args: object) -> None: ...


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that only talk to it."""
    directory = tmp_path_factory.mktemp("echo")
    with running(echo, directory, worker_num=2, task_worker_num=0, buffer_output_size=2**20, **FRAMES) as server:
        server.errors_are_fine = True  # some of its callbacks raise on purpose
        yield server


def read_frame(connection: socket.socket) -> bytes:
    reader = connection.makefile("rb")
    return reader.read(4 + int.from_bytes(reader.read(4), "big") - 4)


def test_a_frame_sent_one_byte_at_a_time_comes_back_whole(echoing: Running) -> None:
    with echoing.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for value in framed("客户 🎉".encode()):
            connection.sendall(bytes([value]))

        assert read_frame(connection) == "客户 🎉".encode()


def test_a_hundred_frames_in_one_packet_come_back_in_order(echoing: Running) -> None:
    bodies = [b"frame %d" % number for number in range(100)]
    with echoing.client() as client:
        client.send_raw(b"".join(map(framed, bodies)))

        assert client.read(len(b"".join(map(framed, bodies)))) == b"".join(map(framed, bodies))


def test_a_frame_of_the_largest_size_comes_back(echoing: Running) -> None:
    body = bytes(2**20 - 4)
    with echoing.client() as client:
        client.send(body)

        assert client.read(2**20) == framed(body)


@pytest.mark.parametrize(
    ("sent", "announced", "guess"),
    [
        (b"\xff\xff\xff\xff", 2**32 + 3, ""),
        (b"GET / HTTP/1.1\r\n\r\n", int.from_bytes(b"GET ", "big") + 4, "looks like HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00", int.from_bytes(b"\x16\x03\x01\x02", "big") + 4, "looks like TLS"),
    ],
    ids=["4 GiB", "HTTP", "TLS"],
)
def test_a_length_that_cannot_be_closes_the_connection_with_one_line_and_the_worker_lives(
    echoing: Running, sent: bytes, announced: int, guess: str
) -> None:
    pids = echoing.processes()
    with echoing.connect() as connection:
        peer = "{}:{}".format(*connection.getsockname())
        connection.sendall(sent)

        assert connection.recv(1) == b""

    def lines() -> list[dict[str, Any]]:
        return [line for line in echoing.log("invalid frame length") if line["peer"] == peer]

    (line,) = wait_until(lines, "the line in the log")
    assert (line["announced_bytes"], line["limit_bytes"], line["guess"]) == (announced, 2**20, guess)
    assert line["head"] == sent[:16].hex(" ")
    assert echoing.processes() == pids


def test_a_callback_that_raises_is_logged_and_the_connection_stays(echoing: Running) -> None:
    with echoing.client() as client:
        client.send("raise")
        client.send("still there")

        assert client.read(4 + 11) == framed(b"still there")
    assert "ValueError: in receive" in echoing.log("callback raised")[-1]["trace"]
    assert echoing.log("callback raised")[-1]["event"] == "receive"


def test_close_sends_what_waits_and_then_takes_nothing_more(echoing: Running) -> None:
    with echoing.client() as client:
        client.send_raw(framed(b"close") + framed(b"raise"))

        assert list(client.lines()) == ["bye"]
    assert echoing.wait_for_notes("closed")[-1] == [True, False, False]


def test_a_large_answer_reaches_a_client_that_shut_its_sending_side(echoing: Running) -> None:
    with echoing.connect() as connection:
        connection.sendall(framed(b"large"))
        connection.shutdown(socket.SHUT_WR)

        assert len(connection.makefile("rb").read()) == 3_000_000


def test_a_client_that_does_not_read_fills_its_buffer_and_the_others_do_not_notice(echoing: Running) -> None:
    with echoing.connect() as slow, echoing.client() as other:
        slow.sendall(framed(b"flood"))

        sent, waiting, limit = echoing.wait_for_notes("full")[-1]
        assert limit == 2**20
        assert limit - 100_000 < waiting <= limit
        assert sent >= 10
        other.send("and I?")
        assert other.read(10) == framed(b"and I?")


def test_a_connection_gets_what_another_worker_sends_it(echoing: Running) -> None:
    before = len(echoing.notes("connect"))
    clients: list[Client] = []
    while len({worker for _, worker in echoing.notes("connect")[before:]}) < 2:
        clients.append(echoing.client())  # until each worker has one of ours
        echoing.wait_for_notes("connect", before + len(clients))
        assert len(clients) < 500
    fds = [fd for fd, _ in echoing.notes("connect")[before:]]

    for fd in fds:
        clients[0].send(f"to {fd}")

    for client in clients:
        assert client.read(4 + 16) == framed(b"from a neighbour")
        client.close()


def test_session_numbers_are_never_used_again(echoing: Running) -> None:
    for _ in range(20):
        with echoing.client() as client:
            client.send("x")
            client.read(5)

    fds = [fd for fd, _ in echoing.notes("connect")]

    assert len(fds) == len(set(fds))
    assert all((fd - 1) % 2 == worker for fd, worker in echoing.notes("connect"))


def test_what_is_known_of_a_client_is_right(echoing: Running) -> None:
    with echoing.connect() as connection:
        connection.sendall(framed(b"info"))
        info, connections, is_there, is_elsewhere = echoing.wait_for_notes("info")[-1]

        assert [info["remote_ip"], info["remote_port"]] == list(connection.getsockname())
        assert info["connect_time"] == pytest.approx(time.time(), abs=60)
        assert is_there
        assert not is_elsewhere
        assert len(connections) >= 1


def test_every_connection_is_told_open_once_and_closed_once(echoing: Running) -> None:
    with echoing.connect() as connection:
        connection.sendall(framed(b"x"))
        read_frame(connection)

    def all_closed() -> bool:
        return sorted(fd for fd, _ in echoing.notes("connect")) == sorted(fd for fd, _ in echoing.notes("close"))

    wait_until(all_closed, "as many closed as opened")
    assert not any(exists for _, exists in echoing.notes("close"))


# ── other programs ──────────────────────────────────────────────────────────────────────────────


def slow_answers(server: Server) -> None:
    """An `async def receive` that answers only when it is let."""

    @server.on("receive")
    async def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        gate = Path(frame[4:].decode())
        note("waits", fd)
        while not gate.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.005)
        server.send(fd, b"at last\n")


def test_a_client_that_half_closes_gets_the_answer_of_a_coroutine(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    server_directory = tmp_path / "server"
    with running(slow_answers, server_directory, task_worker_num=0, **FRAMES) as server, server.connect() as connection:
        connection.sendall(framed(bytes(gate)))
        connection.shutdown(socket.SHUT_WR)
        server.wait_for_notes("waits")
        gate.touch()

        assert connection.makefile("rb").read() == b"at last\n"


def raw_bytes(server: Server) -> None:
    @server.on("Receive")
    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        server.send(fd, f"{len(data)}\n")


def test_without_a_length_check_bytes_come_as_they_arrive_and_text_can_be_sent(tmp_path: Path) -> None:
    plain = {"task_worker_num": 0, "open_tcp_nodelay": False}
    with running(raw_bytes, tmp_path, **plain) as server, server.client() as client:
        client.send_raw(b"hello")

        assert client.read_line() == "5"


# ── the client ──────────────────────────────────────────────────────────────────────────────────


def test_the_client_reads_lines_until_the_end_and_drops_one_that_was_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client("127.0.0.1", listener.getsockname()[1], timeout_s=5)
        peer, _ = listener.accept()
        client.send("短信")
        assert peer.recv(100) == b"\x00\x00\x00\x06" + "短信".encode()

        peer.sendall("任务1\nzwei\ncut o".encode())
        peer.close()

        assert list(client.lines()) == ["任务1", "zwei"]
        assert client.read_line() == ""
        client.close()


def echoes(server: Server) -> None:
    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        server.send(fd, frame)


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({"open_eof_split": True}, [b"one\r\n", b"two\r\n"]),
        ({"open_eof_check": True}, [b"one\r\n", b"two\r\n"]),
        ({"open_length_check": True, "package_length_type": "v"}, [b"\x05\0one", b"\x05\0two"]),
        ({}, [b"one", b"two"]),
    ],
    ids=["split", "delimiter", "length", "raw"],
)
def test_the_client_speaks_the_framing_of_the_server(
    tmp_path: Path, settings: dict[str, Any], frames: list[bytes]
) -> None:
    with (
        running(echoes, tmp_path, task_worker_num=0, **settings) as server,
        Client("127.0.0.1", server.port, settings=Settings(**settings)) as client,
    ):
        for body, frame in zip(("one", b"two"), frames, strict=True):
            client.send(body)
            assert client.read_frame() == frame
        server.send_signal(signal.SIGTERM)
        assert client.read_frame() == b""


def test_the_client_says_when_nobody_answers_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(*listener.getsockname(), timeout_s=0.05)

        with pytest.raises(TimeoutError):
            client.read_line()
        client.close()


def test_the_client_says_when_nobody_is_there() -> None:
    with socket.socket() as nobody:  # who has the port, so that no other gets it, and does not listen
        nobody.bind(("127.0.0.1", 0))

        with pytest.raises(ConnectionRefusedError):
            Client(*nobody.getsockname())
