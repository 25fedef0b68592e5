"""Keeps reloads in order: one runs, the others wait for its end."""

import time
from collections.abc import Callable, Sequence

from engine.log_lines import get_logger
from engine.process.slot import Slot

log = get_logger(__name__)

Wish = frozenset[int]
"""The slots that are to get a new child."""


def add_wish(waiting: Sequence[Wish], wish: Wish) -> list[Wish]:
    """Add a wish and drop those that it covers: none of them is granted yet."""
    if any(wish <= other for other in waiting):
        return list(waiting)
    return [other for other in waiting if not other <= wish] + [wish]


class Reloads:
    """Sets the generation that each slot should be of. `before` and `after` are called around each reload."""

    def __init__(self, slots: Sequence[Slot], before: Callable[[], None], after: Callable[[], None]) -> None:
        self._slots = slots
        self._before = before
        self._after = after
        self._waiting: list[Wish] = []
        self._running: list[Slot] = []
        self._began_at = 0.0

    def ask(self, numbers: Sequence[int]) -> None:
        """Replace the children of these slots, after the reload that runs."""
        if not numbers:
            log.warning("there is nothing to reload")
            return
        self._waiting = add_wish(self._waiting, frozenset(numbers))

    def advance(self) -> None:
        """End the reload that is done, begin the next. Not before every slot was served once."""
        if self._running and all(slot.is_renewed for slot in self._running):
            took_s = round(time.monotonic() - self._began_at, 3)
            log.info("reload ended", extra={"slots": self._running_numbers, "took_s": took_s})
            self._running = []
            self._after()
        if self._waiting and not self._running:
            wish = self._waiting.pop(0)
            self._running = [slot for slot in self._slots if slot.number in wish]
            self._began_at = time.monotonic()
            log.info("reload begins", extra={"slots": self._running_numbers})
            self._before()
            for slot in self._running:
                slot.generation += 1
                slot.failures = None  # who asks for new children may have put right what kept the last ones from living

    @property
    def _running_numbers(self) -> list[int]:
        return [slot.number for slot in self._running]
