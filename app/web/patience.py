"""Connections over which nothing whole is asked, or whose answers nobody reads, are closed; and where there is no place
for one more, those first that waited for their client for longest. So who opens thousands of them keeps nobody out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKED_WITHIN_S = 10.0
"""From the connection, or from an answer, to the end of the next request's head, and from there to the end of its body;
twice as long each at most."""
LOOKS_UNREAD = 6
"""An answer of which nothing was read for so many times as long is not read any more. A client that reads slowly leaves
what the kernel holds for it as it is for a while."""
MOST_PLACES = 850
"""Connections at once, below those that are refused; see server.py."""
MADE_FREE = 50
"""Together, for to look at all of them takes a while."""


class PatientProtocol(H11Protocol):
    """uvicorn's, which waits for the first byte, for the rest of a head, for a body and for a reader as long as it
    takes."""

    _look: asyncio.TimerHandle | None = None
    _awaited: object = None
    """What it was that the client owed us at the last look."""
    _same_looks = 0
    _owes_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._owes_since = self.loop.time()
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)
        if len(self.connections) > MOST_PLACES:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._owes_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._owes_since = self.loop.time()
        super().pause_writing()

    @property
    def _owed(self) -> tuple[Any, ...] | None:
        """What the client owes us, a request, the rest of one or to read an answer; None: it waits for us."""
        request = self.cycle
        if request is None or request.response_complete:
            return ("request", request)
        if request.more_body:
            return ("body", request)
        return ("reading", self.transport.get_write_buffer_size()) if self.flow.write_paused else None

    def _close_idle(self) -> None:
        """Where the client owes us what it owed us at the last look."""
        owed = self._owed
        self._same_looks = self._same_looks + 1 if owed and owed == self._awaited else 0
        self._awaited = owed
        has_asked_nothing = owed == ("request", None)
        if has_asked_nothing or self._same_looks >= (LOOKS_UNREAD if owed and owed[0] == "reading" else 1):
            # Not `close`, which waits until the client has read what is written.
            self.transport.abort()
            return
        self._look = self.loop.call_later(ASKED_WITHIN_S, self._close_idle)

    def _make_room(self) -> None:
        owing = [each for each in self.connections if isinstance(each, PatientProtocol) and each._owed]
        owing.sort(key=lambda each: each._owes_since)
        for each in owing[:MADE_FREE]:
            if each is not self:
                self.connections.discard(each)
                each.transport.abort()
