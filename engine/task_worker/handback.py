"""Gives back what waits behind a long task.

Quick tasks travel many in a packet. When one of them turns out to be long, those behind it go back, so that somebody
idle finds them, and the answers of those before it are sent.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from engine.ipc.hand import Hand, Held
from engine.ipc.message import ANY, Kind, packets, to_bytes
from engine.ipc.way import TaskWay

LONG_S = 0.002
"""A task that has run for this long is long."""
_LOOKS_BEFORE_REST = 50


class HandBack:
    """Watches the packet in hand from a thread of its own, which begins with the first packet of several messages.

    A handler that keeps the interpreter's lock, deep in a C extension, holds it up until it lets go.
    """

    def __init__(self, give_back: Callable[[], Any], has_behind: Callable[[], bool]) -> None:
        """`give_back()` is called, under the lock, when the message in hand is found to be long and `has_behind()`."""
        self.lock = threading.Lock()
        """Held while answers are sent and tasks given back."""
        self.begun = 0
        """How many messages were begun; whoever begins one raises it."""
        self._give_back = give_back
        self._has_behind = has_behind
        self._is_needed = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """A packet of several messages is in hand."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="hand-back", daemon=True)
            self._thread.start()
        if not self._is_needed.is_set():
            self._is_needed.set()

    def _look(self) -> None:
        """Look now and then while there is something; to be woken for each packet would cost more than the tasks."""
        seen, quiet = -1, 0
        while self._is_needed.wait():
            time.sleep(LONG_S)
            is_the_same = self.begun == seen
            seen = self.begun
            quiet = quiet + 1 if is_the_same else 0
            if is_the_same and self._has_behind():
                quiet = 0
                with self.lock:
                    if self.begun == seen:
                        self._give_back()
            elif quiet > _LOOKS_BEFORE_REST:
                self._is_needed.clear()
                if self._has_behind():  # a packet that came at this moment
                    self._is_needed.set()


def may_go(held: Held) -> bool:
    """Whether another may do it: a task for anybody, not begun."""
    return held.message.kind == Kind.TASK and held.message.target == ANY and not held.begun


def goes_back(way: TaskWay, hand: Hand, held: Held) -> bool:
    """Give it back, and note that in the hand; False when there is no room for it."""
    (packet,) = packets([to_bytes(way.returned(held.message))])
    if not way.give_back(held.message.source, packet):
        return False
    hand.give_back(held.place)
    return True
