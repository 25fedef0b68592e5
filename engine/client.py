"""A blocking client that speaks the framing of a server: for scripts, examples and tests."""

import socket
import ssl
from collections.abc import Iterator
from io import BufferedReader
from types import TracebackType
from typing import Self

from engine.settings import Settings
from engine.wire.framing import framing_for, to_frame

_LENGTH_OF_4 = Settings(open_length_check=True, package_body_offset=4, package_max_length=2**31)
_READ_BYTES = 2**16


class Client:
    """One connection. Sends frames; reads answers as lines, frames or bytes, one of these throughout.

    Raises OSError when the connection fails; TimeoutError, which is one, after `timeout_s` seconds without a byte.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float | None = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        settings: Settings | None = None,
    ) -> None:
        """With `ssl_context` it speaks TLS, and `host` is the name that the server's certificate must bear.

        `settings` are the server's, for their framing: a length, a delimiter, or none. Without them a frame is a 4-byte
        big-endian length and a body.
        """
        self._settings = settings or _LENGTH_OF_4
        self._framing = framing_for(self._settings)
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        # a client that waits without a limit learns within two minutes that the other machine is gone
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        if ssl_context:
            self._socket = ssl_context.wrap_socket(self._socket, server_hostname=host)
        self._reader: BufferedReader = self._socket.makefile("rb")

    def send(self, body: bytes | str) -> None:
        """Send one frame. Raises UsageError for a body that the framing cannot carry."""
        self._socket.sendall(to_frame(self._settings, body.encode() if isinstance(body, str) else body))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, a part of a frame or several."""
        self._socket.sendall(data)

    def read_line(self) -> str:
        """Return the next line of the answer without its end; '' at the end of the stream, a line cut off included."""
        line = self._reader.readline()
        return line[:-1].decode() if line.endswith(b"\n") else ""

    def lines(self) -> Iterator[str]:
        """Yield every line until the server closes."""
        while line := self.read_line():
            yield line

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, fewer only at the end of the stream."""
        return self._reader.read(size)

    def read_frame(self) -> bytes:
        """Return the next frame, header or delimiter included; without framing whatever has arrived.

        b'' at the end of the stream. Raises ProtocolError for bytes that are no frame.
        """
        while (frame := self._framing.next_frame()) is None:
            if not (data := self._reader.read1(_READ_BYTES)):
                return b""
            self._framing.feed(data)
        return frame

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
