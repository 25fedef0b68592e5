"""A blocking client for servers with length-prefixed frames: for scripts, examples and tests."""

import socket
import ssl
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

_LENGTH = struct.Struct(">I")


class Client:
    """One connection. Sends frames of a 4-byte big-endian length and a body; reads answers as lines or as bytes.

    Raises OSError when the connection fails; TimeoutError, which is one, after `timeout_s` seconds without a byte.
    """

    def __init__(
        self, host: str, port: int, *, timeout_s: float | None = 10.0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """With `ssl_context` it speaks TLS, and `host` is the name that the server's certificate must bear."""
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        # who waits for ever hears within two minutes that the other machine is gone
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        if ssl_context:
            self._socket = ssl_context.wrap_socket(self._socket, server_hostname=host)
        self._reader = self._socket.makefile("rb")

    def send(self, body: bytes | str) -> None:
        """Send one frame."""
        raw = body.encode() if isinstance(body, str) else body
        self._socket.sendall(_LENGTH.pack(len(raw)) + raw)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, without a length."""
        self._socket.sendall(data)

    def read_line(self) -> str:
        """The next line of the answer without its end; '' at the end of the stream, a line cut off included."""
        line = self._reader.readline()
        return line[:-1].decode() if line.endswith(b"\n") else ""

    def lines(self) -> Iterator[str]:
        """Every line until the server closes."""
        while line := self.read_line():
            yield line

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end of the stream."""
        return self._reader.read(size)

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
