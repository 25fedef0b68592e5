"""Work that takes a while: in a thread of its own, one after the other, and not for more than may wait."""

from collections.abc import Callable
from typing import TypeVar

from app.errors import TooBusy
from app.sentence import Sentence
from app.threads import Threads

Result = TypeVar("Result")


class OneByOne:
    """For one event loop. `most` may be there at once, who wait and who is at it; the next is told `busy`."""

    def __init__(self, purpose: str, most: int, busy: Sentence) -> None:
        self._thread = Threads(purpose, 1)
        self._most = most
        self._busy = busy
        self.count = 0
        """Who is there now."""

    async def run(self, call: Callable[[], Result]) -> Result:
        """What `call` gives or raises. Raises TooBusy."""
        if self.count >= self._most:
            raise TooBusy(self._busy.code)
        self.count += 1
        try:
            return await self._thread.run(call)
        finally:
            self.count -= 1

    def close(self) -> None:
        """See Threads."""
        self._thread.close()
