"""Connections over which nothing whole is asked are closed, so that who opens thousands of them keeps nobody out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKED_WITHIN_S = 10.0
"""From the connection, or from an answer, to the end of the next request's head, and from there to the end of its body;
twice as long each at most."""


class PatientProtocol(H11Protocol):
    """uvicorn's, which waits for the first byte, for the rest of a head and for a body as long as it takes."""

    _look: asyncio.TimerHandle | None = None
    _awaited: tuple[Any, bool] | None = None
    """What it was that the client owed us at the last look."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def _close_idle(self) -> None:
        """Where the client owes us a request, or the rest of one, and owed us the same at the last look."""
        request = self.cycle
        is_answered = request is None or request.response_complete
        awaited = (request, is_answered) if is_answered or request.more_body else None
        if awaited and (request is None or awaited == self._awaited):
            # Not `close`, which waits until the client has read what is written.
            self.transport.abort()
            return
        self._awaited = awaited
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)
