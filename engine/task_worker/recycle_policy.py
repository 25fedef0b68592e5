"""Decides when a task worker has done its part and a new process takes its place."""

import os
import secrets
import time

from engine.settings import Settings
from engine.stats import resident_bytes

_LOOK_EVERY_S = 0.02
"""Memory is looked at between tasks, but not after each of a flood: it is a file to read."""
_LARGE_GRACE = 10


class RecyclePolicy:
    """When one task worker leaves. It counts nothing: it is told how many tasks this process has done."""

    def __init__(self, settings: Settings) -> None:
        """Draw the grace, anew in each process."""
        most, grace = settings.task_max_request, settings.task_max_request_grace
        if grace is None:
            grace = most // 2 if most > _LARGE_GRACE else 0
        # `random` was seeded before the fork, and gives all of them the same
        self._most_tasks = most + secrets.randbelow(grace + 1) if most else 0
        self._most_bytes = settings.task_max_memory
        self._looked_after = 0
        """How many tasks were done when memory was looked at last."""
        self._look_at = 0.0
        self._is_large = False

    def left(self, tasks: int) -> int | None:
        """Return how many more tasks it does after `tasks`; None when they are not counted."""
        return self._most_tasks - tasks if self._most_tasks else None

    def is_done(self, tasks: int) -> bool:
        """Return whether to leave now, after so many tasks; once true, always true.

        Never before the first task: a program that is large from the start would be replaced for ever, and do nothing.
        """
        if self._is_large or (self._most_tasks and tasks >= self._most_tasks):
            return True
        if self.look_in_s(tasks) == 0:
            self._looked_after, self._look_at = tasks, time.monotonic() + _LOOK_EVERY_S
            self._is_large = resident_bytes(os.getpid()) > self._most_bytes
        return self._is_large

    def look_in_s(self, tasks: int) -> float | None:
        """Return when to ask `is_done` again though nothing happens, seconds from now; None for never."""
        if not self._most_bytes or tasks == self._looked_after:
            return None
        return max(0.0, self._look_at - time.monotonic())
