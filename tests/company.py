"""Several processes run the tests, and some of these are to have the machine for themselves.

All others hold a shared lock while they run, such a one an exclusive lock. Who waits for that keeps the gate closed,
so that no other test begins meanwhile. The kernel lets the locks go with the process.
"""

import fcntl
import os
from pathlib import Path


class Company:
    """One process among those that share `folder`."""

    def __init__(self, folder: Path) -> None:
        self._gate, self._room = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for name in ("gate", "room")
        )
        self._is_alone = False

    def enter(self, *, alone: bool) -> None:
        """Wait until a test may begin here."""
        if self._is_alone and alone:
            return
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._is_alone = alone

    def leave(self, *, next_alone: bool) -> None:
        """It is over. Nobody comes in between two that are to be alone."""
        if not (self._is_alone and next_alone):
            fcntl.flock(self._room, fcntl.LOCK_UN)
            self._is_alone = False
