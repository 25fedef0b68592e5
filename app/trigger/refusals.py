"""Says in the log that requests were refused, and never more than a line in some seconds."""

import asyncio
import logging

log = logging.getLogger(__name__)

SAY_EVERY_S = 10.0


class Refusals:
    """The first one is said at once, with who it was where that is known; how many follow in the next SAY_EVERY_S, in
    one line then. `why` stands behind the noun in both lines."""

    def __init__(self, why: str = "without the right token refused") -> None:
        self._why = why
        self._unsaid = 0
        self._next_line: asyncio.TimerHandle | None = None

    def note(self, peer: str = "") -> None:
        """A client was refused. Call it where an event loop runs."""
        if self._next_line:
            self._unsaid += 1
            return
        log.warning("request %s", self._why, extra={"peer": peer} if peer else {})
        self._wait()

    def say_rest(self) -> None:
        """Leave nothing unsaid."""
        if self._next_line:
            self._next_line.cancel()
            self._next_line = None
        if self._unsaid:
            log.warning("more requests %s", self._why, extra={"count": self._unsaid})
            self._unsaid = 0
            self._wait()

    def _wait(self) -> None:
        self._next_line = asyncio.get_running_loop().call_later(SAY_EVERY_S, self.say_rest)
