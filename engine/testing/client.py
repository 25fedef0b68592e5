"""A test's connection to the program."""

import time
from typing import Protocol

from engine.settings import Settings
from engine.wire.framing import framing_for


class Owner(Protocol):
    """The server as its clients see it."""

    def arrived(self, client: "InlineClient", data: bytes) -> None:
        """Handle bytes that the client sent."""

    def left(self, client: "InlineClient") -> None:
        """Note that the client sends nothing more."""


class InlineClient:
    """One connection, as the client sees it; `InlineServer.connect` makes it."""

    def __init__(self, owner: Owner, fd: int, worker_id: int, settings: Settings) -> None:
        self.fd = fd
        """The session number that the callbacks get."""
        self.worker_id = worker_id
        """The event worker that has the connection."""
        self.closed = False
        """Whether the connection has ended, whoever ended it."""
        self.framing = framing_for(settings)
        self.at_work = 0
        """Frames whose coroutine is not done."""
        self.has_left = False
        self.connected_at = time.time()
        self._owner = owner
        self._received = bytearray()

    @property
    def received(self) -> bytes:
        """Everything the server sent so far, without what was taken."""
        return bytes(self._received)

    def take(self) -> bytes:
        """Return what the server sent since the last `take`."""
        taken, self._received = bytes(self._received), bytearray()
        return taken

    def send(self, data: bytes | str) -> None:
        """Send bytes, cut as you like: a part of a frame, or several frames. Callbacks have run when it returns.

        Raises ConnectionError when the connection is closed.
        """
        if self.closed or self.has_left:
            raise ConnectionError(f"connection {self.fd} is closed")
        self._owner.arrived(self, data.encode() if isinstance(data, str) else data)

    def close(self) -> None:
        """Send nothing more. As in production the server ends the connection once its frames are handled."""
        if not self.closed and not self.has_left:
            self._owner.left(self)

    def deliver(self, data: bytes) -> None:
        """Add bytes to what the client received; called by the server."""
        self._received += data
