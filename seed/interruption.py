"""Ctrl-C and SIGTERM, heard whenever they come."""

import signal
from types import FrameType


class Interruption:
    """Raises KeyboardInterrupt where the signal comes, and from then on at every `check`.

    Once would not do: what is raised while a destructor happens to run, Python prints and drops.
    SIGTERM too, of which a container's first process would not die by itself.
    """

    def __init__(self) -> None:
        self._has_come = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Raises KeyboardInterrupt when one has come."""
        if self._has_come:
            raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._has_come = True
        raise KeyboardInterrupt
