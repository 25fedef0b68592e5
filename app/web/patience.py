"""Connections over which nothing whole is asked are closed, so that who opens thousands of them keeps nobody out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKED_WITHIN_S = 10.0
"""From the connection, or from an answer, to the end of the next request's head; twice as long at most."""


class PatientProtocol(H11Protocol):
    """uvicorn's, which waits for the first byte and for the rest of a head as long as it takes."""

    _look: asyncio.TimerHandle | None = None
    _idle_at: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def _close_idle(self) -> None:
        """Where nothing is under way, and nothing was answered since the last look."""
        answered = self.cycle
        is_idle = answered is None or answered.response_complete
        if is_idle and (answered is None or answered is self._idle_at):
            self.transport.close()
            return
        self._idle_at = answered if is_idle else None
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)
