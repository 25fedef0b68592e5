"""engine/worker/connection.py: one client, with a transport that only notes what is done to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.errors import SendBufferFull
from engine.settings import Settings
from engine.worker.connection import Connection


class Transport:
    """What asyncio gives a protocol."""

    def __init__(self) -> None:
        self.written = b""
        self.waiting_bytes = 0
        self.is_closed = False

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.7", 4711)}.get(name)

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


class Worker:
    """The owner: keeps the frames and answers as it is told."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.frames: list[bytes] = []
        self.gone = 0
        self.on_frame: Callable[[bytes], Awaitable[Any] | None] = lambda frame: None

    def opened(self, connection: Connection) -> int:
        return 7

    def received(self, fd: int, frame: bytes) -> Awaitable[Any] | None:
        self.frames.append(frame)
        return self.on_frame(frame)

    def closed(self, connection: Connection) -> None:
        self.gone += 1


def connected(**settings: Any) -> tuple[Connection, Transport, Worker]:
    worker = Worker(Settings(open_length_check=True, package_body_offset=4, package_max_length=100, **settings))
    connection = Connection(worker)
    transport = Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport, worker


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_frames_go_to_the_worker_one_by_one() -> None:
    connection, _, worker = connected()

    connection.data_received(frame(b"one") + frame(b"two")[:3])
    connection.data_received(frame(b"two")[3:])

    assert worker.frames == [frame(b"one"), frame(b"two")]


def test_after_it_was_closed_no_further_frame_is_delivered() -> None:
    connection, _, worker = connected()
    worker.on_frame = lambda frame: connection.close() and None

    connection.data_received(frame(b"bye") + frame(b"too late"))

    assert worker.frames == [frame(b"bye")]


def test_a_bad_length_closes_it_with_one_line_that_tells_who_and_what(caplog: pytest.LogCaptureFixture) -> None:
    connection, transport, worker = connected()

    with caplog.at_level(logging.WARNING):
        connection.data_received(frame(b"good") + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert worker.frames == [frame(b"good")]
    assert transport.is_closed
    (line,) = caplog.records
    assert (
        vars(line).items()
        >= {
            "peer": "192.0.2.7:4711",
            "announced_bytes": int.from_bytes(b"GET ", "big") + 4,
            "limit_bytes": 100,
            "head": b"GET / HTTP/1.1\r\n".hex(" "),
            "guess": "looks like HTTP",
        }.items()
    )


def test_sending_writes_and_a_closed_connection_takes_nothing() -> None:
    connection, transport, _ = connected()

    assert connection.send(b"one")
    assert connection.close()

    assert not connection.send(b"two")
    assert not connection.close()
    assert transport.written == b"one"


def test_a_lost_connection_takes_nothing_and_is_told_once() -> None:
    connection, transport, worker = connected()

    connection.connection_lost(ConnectionResetError())

    assert (connection.send(b"x"), connection.close(), worker.gone) == (False, False, 1)
    assert transport.written == b""


def test_a_client_that_does_not_read_gets_no_more_than_the_limit() -> None:
    connection, transport, _ = connected(buffer_output_size=1000)
    transport.waiting_bytes = 600

    assert connection.send(b"x" * 400)
    with pytest.raises(SendBufferFull) as caught:
        connection.send(b"x" * 401)

    error = caught.value
    assert (error.fd, error.waiting_bytes, error.limit_bytes) == (7, 600, 1000)
    assert len(transport.written) == 400


def test_an_answer_larger_than_the_limit_can_be_sent_when_nothing_waits() -> None:
    connection, _, _ = connected(buffer_output_size=1000)

    assert connection.send(b"x" * 5000)


@pytest.mark.parametrize("coroutines", [0, 1, 3])
def test_a_client_that_said_its_last_word_is_kept_while_its_frames_are_at_work(coroutines: int) -> None:
    async def talk() -> tuple[bool, bool, bool]:
        connection, transport, worker = connected()
        gate = asyncio.Event()
        works: list[asyncio.Future[Any]] = []

        def at_work(frame: bytes) -> Awaitable[Any]:
            works.append(asyncio.ensure_future(gate.wait()))
            return works[-1]

        worker.on_frame = at_work
        for _ in range(coroutines):
            connection.data_received(frame(b"x"))
        keeps = connection.eof_received()
        was_closed = transport.is_closed
        gate.set()
        await asyncio.gather(*works)
        await asyncio.sleep(0)
        return keeps, was_closed, transport.is_closed

    keeps, was_closed, is_closed = asyncio.run(talk())

    assert (keeps, was_closed, is_closed) == (coroutines > 0, False, coroutines > 0)
