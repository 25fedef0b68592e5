"""What holds for every answer: who may be asked for, and what a browser must not do with it."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sentence import Sentence
from app.web.exposure import Exposure
from app.web.problems import MOST_BODY_BYTES, TooLarge, problem

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
MOST_HEADERS = 100
"""Of a request; browsers send some twenty."""


class Guard:
    """Around the whole application. Whoever asks for it by another name than its own gets nothing: a page of somebody
    else's whose name was made to lead here, which a browser would take for one of theirs. So does whoever comes past
    the proxy."""

    def __init__(self, app: ASGIApp, exposure: Exposure) -> None:
        self._app = app
        self._exposure = exposure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        found = self._refusal(scope)
        scope = self._exposure.from_client(scope)
        if found:
            # Nothing of its body is read, nor what stands behind it.
            await problem(scope, *found, {"connection": "close"})(scope, receive, send_guarded)
        else:
            await self._app(scope, _limited(receive), send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, Sentence] | None:
        """Why nobody here is to see a request."""
        headers = Headers(scope=scope)
        if not self._exposure.admits(scope):
            return 421, Sentence("http.past_the_proxy")
        if host_name(headers.get("host", "")) not in self._exposure.names:
            return 421, Sentence("http.wrong_host")
        if len(headers) > MOST_HEADERS:
            return 431, Sentence("http.too_many_headers", most=MOST_HEADERS)
        if "transfer-encoding" in headers and "content-length" in headers:
            # A proxy that goes by the other of the two sees another end of it, and another request behind.
            return 400, Sentence("http.two_lengths")
        if _announced_bytes(headers) > MOST_BODY_BYTES:
            return 413, Sentence("http.too_large", most=MOST_BODY_BYTES)
        return None


def _limited(receive: Receive) -> Receive:
    """For a body whose length is not announced."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BODY_BYTES:
            raise TooLarge
        return message

    return receive_some


def _announced_bytes(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


def host_name(host: str) -> str:
    """Of `name:port` the name, in lower case; an IPv6 address keeps its brackets. Pure."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
