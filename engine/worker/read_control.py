"""Turns the reading of one connection off and on, over TLS as well."""

import asyncio
from collections.abc import Callable
from typing import Any, cast


class ReadControl:
    """Pauses and resumes what a transport reads from its socket.

    Over TLS a transport that is paused goes on reading ahead, and an end of the stream that it finds there drops what
    it has read and not handed out (uvloop 0.23, SSLProtocol.eof_received). So its socket is held back as well.
    """

    def __init__(self, transport: asyncio.Transport, later: Callable[[float, Callable[[], None]], object]) -> None:
        """`later(0, call)` calls as soon as the current callback returns."""
        self._transport = transport
        self._later = later
        self._is_tls = not transport.can_write_eof()
        self._is_paused = False

    def begin(self) -> None:
        """Call at the end of connection_made: the transport begins to read when that is through, even if paused."""
        if self._is_paused:
            self._later(0, self._pause_again)

    def pause(self) -> None:
        """Read no more. Safe to call again."""
        self._is_paused = True
        self._pause_again()

    def resume(self) -> None:
        """Read on. Safe to call again."""
        self._is_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
            if self._is_tls:
                self._later(0, self._read_ahead)  # behind what is here already, which is handed out then

    def drain(self) -> None:
        """Call before the transport is closed: over TLS it then reads until the client's close_notify."""
        if self._is_tls and not self._transport.is_closing():
            self._set_read_ahead(None)

    def _pause_again(self) -> None:
        if self._is_paused and not self._transport.is_closing():
            self._transport.pause_reading()
            if self._is_tls:
                self._set_read_ahead(0)

    def _read_ahead(self) -> None:
        if not (self._is_paused or self._transport.is_closing()):
            self._set_read_ahead(None)

    def _set_read_ahead(self, limit_bytes: int | None) -> None:
        """Limit what TLS reads ahead: 0 is nothing, None the default."""
        cast(Any, self._transport).set_read_buffer_limits(limit_bytes)
