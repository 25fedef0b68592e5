"""As much HTTP/1.1 as a demo provider needs: requests with a body of a known length, over connections that are kept."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Request:
    """One, as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes

    @property
    def query_params(self) -> dict[str, str]:
        """What stands behind the path."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def params(self) -> dict[str, str]:
        """What stands behind the path, and in a form."""
        found = self.query_params
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            found |= dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return found


@dataclass(slots=True)
class Response:
    """One; or none, or half of one."""

    status: int = 200
    document: Any = None
    is_dropped: bool = False
    """It never comes: the connection stays open."""
    is_half: bool = False
    """The connection ends in the middle of it."""
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """As it goes out."""
        body = json.dumps(self.document, ensure_ascii=False).encode()
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", "Content-Type: application/json"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        head += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(head).encode() + body


Answer = Callable[[Request], Awaitable[Response]]


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    """One request after the other, until the client hangs up."""
    try:
        while request := await _read(reader):
            response = await answer(request)
            if response.is_dropped:
                await reader.read()
                return
            data = response.encode()
            if response.is_half:
                writer.write(data[: len(data) - len(data) // 4])
                return
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        return
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines if each)
    }
    length = int(headers.get("content-length", "0"))
    if length > MOST_BYTES:
        raise ValueError("a body that is too large")
    body = await reader.readexactly(length)
    found = urlsplit(target)
    return Request(method, found.path, found.query, headers, body)
