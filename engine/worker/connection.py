"""One client: bytes in, frames to `receive`, bytes out."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from engine.errors import BadFrameLength, SendBufferFull
from engine.settings import Settings
from engine.wire.framing import framing_for, guess

log = logging.getLogger(__name__)


class Owner(Protocol):
    """The worker as its connections see it."""

    settings: Settings

    def opened(self, connection: "Connection") -> int:
        """Take the connection in and give its session number."""

    def received(self, fd: int, frame: bytes) -> Awaitable[Any] | None:
        """Handle a frame; what is returned is still at work on it."""

    def closed(self, connection: "Connection") -> None:
        """Strike the connection off."""


class Connection(asyncio.Protocol):
    """A client's connection. `fd` is its session number, given when it opens."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._framing = framing_for(owner.settings)
        self._transport: asyncio.Transport | None = None
        self._at_work = 0  # frames whose coroutine is not through
        self._peer_is_done = False
        self.fd = 0
        self.connected_at = time.time()
        self.peer: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._owner.settings.open_tcp_nodelay:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        self.peer = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.fd = self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        self._framing.feed(data)
        try:
            while self._is_open and (frame := self._framing.next_frame()) is not None:
                if work := self._owner.received(self.fd, frame):
                    self._at_work += 1
                    asyncio.ensure_future(work).add_done_callback(self._work_done)
        except BadFrameLength as error:
            log.warning(
                "connection closed, its frame length cannot be",
                extra={
                    "peer": f"{self.peer[0]}:{self.peer[1]}",
                    "announced_bytes": error.announced_bytes,
                    "limit_bytes": error.limit_bytes,
                    "head": error.head.hex(" "),
                    "guess": guess(error.head),
                },
            )
            self.close()

    def eof_received(self) -> bool:
        """A client may say its last word and still wait for answers: stay until its frames are dealt with."""
        self._peer_is_done = True
        return self._at_work > 0

    def _work_done(self, _work: object) -> None:
        self._at_work -= 1
        if self._peer_is_done and not self._at_work:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._owner.closed(self)

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> bool:
        """Hand bytes to the transport; False when it is closed. Raises SendBufferFull when too much waits."""
        if self._transport is None or not self._is_open:
            return False
        waiting = self._transport.get_write_buffer_size()
        limit = self._owner.settings.buffer_output_size
        if waiting and waiting + len(data) > limit:
            raise SendBufferFull(self.fd, waiting, limit)
        self._transport.write(data)
        return True

    def close(self) -> bool:
        """Close once what waits is sent; False when it is closed already."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.close()
        return True

    def stop_reading(self) -> None:
        """Leave what the client sends from now on in the kernel."""
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()
