"""Says in the log that requests without the right token were refused, and never more than a line in some seconds."""

import asyncio
import logging

log = logging.getLogger(__name__)

SAY_EVERY_S = 10.0


class Refusals:
    """The first one is said at once, with who it was; how many follow in the next SAY_EVERY_S, in one line then."""

    def __init__(self) -> None:
        self._unsaid = 0
        self._next_line: asyncio.TimerHandle | None = None

    def note(self, peer: str) -> None:
        """This client was refused. Call it where an event loop runs."""
        if self._next_line:
            self._unsaid += 1
            return
        log.warning("request without the right token refused", extra={"peer": peer})
        self._wait()

    def say_rest(self) -> None:
        """Leave nothing unsaid."""
        if self._next_line:
            self._next_line.cancel()
            self._next_line = None
        if self._unsaid:
            log.warning("more requests without the right token refused", extra={"count": self._unsaid})
            self._unsaid = 0
            self._wait()

    def _wait(self) -> None:
        self._next_line = asyncio.get_running_loop().call_later(SAY_EVERY_S, self.say_rest)
