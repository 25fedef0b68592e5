"""Ctrl-C and SIGTERM, heard whenever they come."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Raises KeyboardInterrupt where the signal comes, and from then on at every `check`.

    Once would not do: what is raised while a destructor happens to run, Python prints and drops.
    SIGTERM too, of which a container's first process would not die by itself.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._is_held = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Raises KeyboardInterrupt when one has come."""
        if self._number is not None:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """While the block runs the first signal is noted, and raised at its end; a second one is not waited for."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.check()

    @property
    def exit_status(self) -> int:
        """What a shell says of a program that the signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self._number or signal.SIGINT)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        is_first = self._number is None
        self._number = self._number or number
        if not (self._is_held and is_first):
            raise KeyboardInterrupt
