"""HTTP byte by byte, for what no client would send."""

import contextlib
import re
import socket
from pathlib import Path

WITHIN_S = 120.0
HOST = "Host: 127.0.0.1\r\n"


def ask(port: int, *pieces: bytes | str) -> bytes:
    """All that comes back until the server closes; what it does not take any more is not sent."""
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as connection:
        with contextlib.suppress(ConnectionError):
            for each in pieces:
                connection.sendall(each.encode("latin-1") if isinstance(each, str) else each)
        return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """To the end."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            found += piece
    return bytes(found)


def request(line: str, *headers: str, host: str = HOST) -> str:
    """A whole head that asks to close behind it."""
    return f"{line} HTTP/1.1\r\n{host}Connection: close\r\n" + "".join(f"{each}\r\n" for each in headers) + "\r\n"


def statuses(answer: bytes) -> list[int]:
    """Of every answer that came."""
    return [int(each) for each in re.findall(rb"(?:^|(?<=\n)|(?<=[}>]))HTTP/1\.1 (\d{3})", answer)]


def head_of(answer: bytes) -> str:
    """Its headers, in lower case."""
    return answer.partition(b"\r\n\r\n")[0].decode("latin-1").lower()


def body_of(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")


def most_memory(pid: int) -> int:
    """Bytes that a process had at most."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
