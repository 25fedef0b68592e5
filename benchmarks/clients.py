"""Clients of a server: echo, new connections, and what a reload costs them."""

import asyncio
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import uvloop

from benchmarks.processes import Placement, Unavailable, forked, settle
from benchmarks.serving import serving
from engine import Server

FRAME = struct.pack(">I", 100) + bytes(100)
RELOAD = struct.pack(">I", 6) + b"reload"
_LONGEST_RELOAD_S = 20.0
_NO_WAITING = struct.pack("ii", 1, 0)  # SO_LINGER: a closed connection leaves no port behind in TIME_WAIT


def echo(server: str, connections: int, in_flight: int, seconds: float) -> Any:
    """Frames of 104 bytes echoed a second; each connection has so many in flight. `server`: engine or floor."""
    with _SERVERS[server]() as port:
        settle(Placement.APART, 1)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        burst = FRAME * in_flight

        def step() -> int:
            for client in clients:
                client.sendall(burst)
            for client in clients:
                _read(client, len(burst))
            return connections * in_flight

        return _rate(step, seconds)


def connect(server: str, seconds: float) -> Any:
    """Connections a second: made, one frame echoed, closed."""
    with _SERVERS[server]() as port:
        settle(Placement.APART, 1)
        return _rate(lambda: int(ask_once(port)), seconds)


def reload_gap(reloads: bool, seconds: float) -> Any:
    """[longest time between two answers in ms, requests without an answer]; each request has a connection of its own.

    With `reloads`, from the call of `server.reload()` until every worker is new; without, the same client for so many
    seconds.
    """
    if not hasattr(Server, "reload"):
        raise Unavailable("the server has no reload()")
    done, is_done = os.pipe()
    os.set_blocking(done, False)

    def program(server: Server) -> None:
        echoing(server)
        server.on("task", lambda *_: None)
        server.on("after_reload", lambda server: os.write(is_done, b"R"))

    with serving(program, worker_num=2, task_worker_num=2, open_length_check=True, package_body_offset=4) as port:
        ask_once(port)
        began = last = time.perf_counter()
        longest, failed, ends = 0.0, 0, began + (_LONGEST_RELOAD_S if reloads else seconds)
        if reloads:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(RELOAD)
        while time.perf_counter() < ends:
            if ask_once(port):
                now = time.perf_counter()
                longest, last = max(longest, now - last), now
            else:
                failed += 1
            with suppress(BlockingIOError):
                if os.read(done, 1):
                    ends, reloads = time.perf_counter() + 0.2, False
        if reloads:
            raise Unavailable(f"no after_reload within {_LONGEST_RELOAD_S:g} s")
        return [longest * 1000, failed]


def ask_once(port: int) -> bool:
    """One frame over a connection of its own; whether its echo came."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_WAITING)
            client.sendall(FRAME)
            _read(client, len(FRAME))
    except OSError:
        return False
    return True


def _read(client: socket.socket, size: int) -> None:
    while size:
        got = len(client.recv(size))
        if not got:
            raise ConnectionError("the server closed the connection")
        size -= got


def _rate(step: Callable[[], int], seconds: float) -> float:
    """What `step` counts, a second, after half the time to warm up."""
    rate = 0.0
    for window in (seconds / 2, seconds):
        count, began = 0, time.perf_counter()
        while time.perf_counter() < began + window:
            count += step()
        rate = count / (time.perf_counter() - began)
    return rate


# ── the servers ─────────────────────────────────────────────────────────────────────────────────


def echoing(server: Server) -> None:
    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        if frame == RELOAD:
            getattr(server, "reload")()  # noqa: B009  while it is not there
        else:
            server.send(fd, frame)


@contextmanager
def engine() -> Iterator[int]:
    """The port of a server with one event worker, on the first core."""

    def program(server: Server) -> None:
        echoing(server)
        server.on("worker_start", lambda server, worker_id: settle(Placement.APART, 0))

    with serving(program, worker_num=1, open_length_check=True, package_body_offset=4) as port:
        yield port


class Plain(asyncio.Protocol):
    """Gives back what comes, uncut."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


@contextmanager
def floor() -> Iterator[int]:
    """The port of a uvloop server with a protocol that gives back what comes, on the first core."""

    async def serve(tell: int) -> None:
        server = await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", 0, backlog=512)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
        os.write(tell, f"{server.sockets[0].getsockname()[1]}\n".encode())
        await server.serve_forever()

    def main(tell: int) -> None:
        settle(Placement.APART, 0)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(tell))

    with forked(main) as (_, hear):
        yield int(os.read(hear, 16))


_SERVERS = {"engine": engine, "floor": floor}
