"""How many pages and campaigns are watched at once: who watches holds a connection for as long as they like, and the
others are to find places, too."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import TooBusy

MOST_OF_ONE = 100
"""Of one session, token or, without accounts, address."""
MOST = 600
"""Of all; see patience.MOST_PLACES."""


class Streams:
    """Those of one process, on its event loop."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    def check(self, whose: str) -> None:
        """Raises TooBusy where there is no place for one more."""
        if self._of[whose] >= MOST_OF_ONE or self._of.total() >= MOST:
            raise TooBusy("too_busy.streams")

    @contextmanager
    def place(self, whose: str) -> Iterator[None]:
        """For as long as it lasts; to be checked for before."""
        self._of[whose] += 1
        try:
            yield
        finally:
            self._of[whose] -= 1
            if not self._of[whose]:
                del self._of[whose]
