"""Ends the children that take longer for a task than it may take."""

import signal
import time
from collections.abc import Iterable
from typing import Protocol

from engine.log_lines import get_logger
from engine.process.children import Children
from engine.process.slot import Child

log = get_logger(__name__)

_LOOK_PAUSE_S = 0.05
"""At least so long between two looks."""


class TaskLimit(Protocol):
    """What knows which task each child does, and since when."""

    def overdue(self) -> Iterable[tuple[int, int]]:
        """Return slot and seat of each child whose task takes too long."""

    def next_look_in_s(self) -> float:
        """Return after how many seconds there may be one."""

    def expire(self, slot: int, seat: int) -> int | None:
        """Note that the task of this child took too long, and return its id; None when the child is done with it. The
        child is stopped, and is killed next."""


class Expiry:
    """Checks the time limit of tasks while the server runs and while it stops."""

    def __init__(self, children: Children, task_limit: TaskLimit | None) -> None:
        self._children = children
        self._task_limit = task_limit

    def enforce(self) -> float | None:
        """Kill each child that takes too long; return when to check again (monotonic seconds), None for never."""
        if self._task_limit is None:
            return None
        for slot, seat in self._task_limit.overdue():
            if child := self._children.slot(slot).seats[seat]:
                self._end(child, self._task_limit)
        return time.monotonic() + max(_LOOK_PAUSE_S, self._task_limit.next_look_in_s())

    def _end(self, child: Child, task_limit: TaskLimit) -> None:
        self._children.freeze(child)
        task_id = task_limit.expire(child.slot, child.seat)
        if task_id is None:
            self._children.signal(signal.SIGCONT, [child])
            return
        log.error("task took too long, task worker killed", extra=self._children.facts(child) | {"task_id": task_id})
        self._children.kill([child])
