"""What sending over a network cannot be quicker than: its rows alone, its submits alone. Each in a process of its own.

bare ledger     rows with their outcome and the shard's row, 500 a commit, by PyMySQL
bare submits    one body again and again, as many unanswered as the window allows, by asyncio on uvloop
"""

import asyncio
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import pymysql
import uvloop
from sqlalchemy.engine import make_url

from app.gateways.smpp.submission import Envelope, Submissions
from benchmarks import processes

A_COMMIT = 500
_HEADER = struct.Struct(">IIII")


def together(function: str, senders: int, module: str = __name__, **arguments: Any) -> float:
    """Seconds that so many processes take, from the first one's begin to the last one's end."""
    with ThreadPoolExecutor(senders) as pool:
        asked = [
            pool.submit(processes.run, f"{module}:{function}", sender=sender, **arguments) for sender in range(senders)
        ]
        spans: list[tuple[float, float]] = [each.result() for each in asked]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def make_tables(url: str) -> None:
    """Those that `ledger` writes to, empty; the ledger's with all its indexes."""
    with _connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS floor_messages, floor_shards")
        cursor.execute("CREATE TABLE floor_messages LIKE messages")
        cursor.execute("CREATE TABLE floor_shards (number INT PRIMARY KEY, last_id BIGINT, accepted INT)")
        cursor.executemany("INSERT INTO floor_shards VALUES (%s, 0, 0)", [(number,) for number in range(64)])
        connection.commit()


def ledger(sender: int, url: str, rows: int) -> tuple[float, float]:
    """Write so many rows; begin and end, seconds of the clock that all processes share."""
    first = sender * 100_000_000
    with _connect(url) as connection, connection.cursor() as cursor:
        begin = time.monotonic()
        for at in range(first, first + rows, A_COMMIT):
            values = ",".join(
                f"(1,{each},{sender},{13_800_000_000 + each},1,'accepted',1,1,'{each:x}','',"
                "'2026-01-01 00:00:00.000',NULL,NULL)"
                for each in range(at, at + A_COMMIT)
            )
            cursor.execute(f"INSERT INTO floor_messages VALUES {values}")
            cursor.execute(
                "UPDATE floor_shards SET last_id = %s, accepted = accepted + %s WHERE number = %s",
                (at + A_COMMIT, A_COMMIT, sender),
            )
            connection.commit()
        return begin, time.monotonic()


def submits(sender: int, port: int, messages: int, window: int, text: str) -> tuple[float, float]:
    """Submit so many and hear all answers; begin and end."""
    body = Submissions(Envelope(source="10690000")).bodies(f"86138{sender:08}", text, 1)[0]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_submit(port, messages, window, body))


async def _submit(port: int, messages: int, window: int, body: bytes) -> tuple[float, float]:
    done = asyncio.get_running_loop().create_future()
    _, link = await asyncio.get_running_loop().create_connection(
        lambda: _Link(messages, window, body, done), "127.0.0.1", port
    )
    await done
    link.close()
    return link.began, time.monotonic()


class _Link(asyncio.Protocol):
    def __init__(self, messages: int, window: int, body: bytes, done: "asyncio.Future[None]") -> None:
        self._left = messages
        self._window = window
        self._body = body
        self._done = done
        self._open = self._sequence = self._answers = 0
        self._rest = b""
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        credentials = b"sms\0secret\0\0\x34\0\0\0"
        self._transport.write(_HEADER.pack(16 + len(credentials), 2, 0, 0) + credentials)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= 16:
            size, command, _, _ = _HEADER.unpack_from(data, at)
            if len(data) - at < size:
                break
            at += size
            if command == 0x80000004:
                self._open -= 1
                self._answers += 1
            else:
                self.began = time.monotonic()
        self._rest = data[at:]
        count = min(self._window - self._open, self._left)
        length = 16 + len(self._body)
        self._transport.write(
            b"".join([_HEADER.pack(length, 4, 0, self._sequence + each) + self._body for each in range(count)])
        )
        self._sequence += count
        self._open += count
        self._left -= count
        if not self._open and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the message centre closed the connection"))

    def close(self) -> None:
        with suppress(OSError):
            self._transport.abort()


def _connect(url: str) -> Any:
    address = make_url(url)
    return pymysql.connect(
        host=address.host,
        port=address.port or 3306,
        user=address.username,
        password=address.password or "",
        database=address.database,
    )
