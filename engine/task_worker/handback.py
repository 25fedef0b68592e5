"""Gives back what waits behind a long task.

Quick tasks travel many in a packet. When one of them turns out to be long, those behind it go back to their event
workers, which find somebody idle, and the answers of those before it are sent.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

LONG_S = 0.002
"""A task that has run for this long is long."""


class HandBack:
    """Watches the packet in hand from a thread of its own, which begins with the first packet of several messages.

    A handler that keeps the interpreter's lock, deep in a C extension, holds it up until it lets go.
    """

    def __init__(self, give_back: Callable[[int], Any]) -> None:
        """`give_back(place)` is called, under the lock, when the message at `place` is found to be long."""
        self.lock = threading.Lock()
        """Held while answers are sent or tasks given back, and while the next message is begun."""
        self._give_back = give_back
        self._is_needed = threading.Event()
        self._thread: threading.Thread | None = None
        self._place = -1
        self._begun = 0

    def watch(self) -> None:
        """A packet of several messages is in hand."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="hand-back", daemon=True)
            self._thread.start()
        self._is_needed.set()

    def rest(self) -> None:
        """Nothing is in hand."""
        self._is_needed.clear()
        self._place = -1

    def begin(self, place: int) -> None:
        """The message at `place` is begun. The lock is held."""
        self._place = place
        self._begun += 1

    def _look(self) -> None:
        seen = 0
        while self._is_needed.wait():
            time.sleep(LONG_S)
            with self.lock:
                if self._place >= 0 and self._begun == seen:  # the same one as a while ago
                    self._give_back(self._place)
                seen = self._begun
