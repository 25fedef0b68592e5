"""Stops all children, role after role, and kills those that take too long."""

import signal
import time
from collections.abc import Sequence

from engine.log_lines import get_logger
from engine.process.children import Children, Role
from engine.process.signals import Mailbox
from engine.process.slot import Child
from engine.process.task_limit import Expiry

log = get_logger(__name__)

_ONE_WISH_S = 0.5
_END_OF_STREAMS_S = 1.0
"""What a later role gets at least, after an earlier one used up the time for stopping."""


def is_stop(numbers: Sequence[int]) -> bool:
    """Return whether one of these signals tells the manager to stop."""
    return any(number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for number in numbers)


def stop(children: Children, roles: Sequence[Role], mailbox: Mailbox, max_wait_s: float, expiry: Expiry) -> None:
    """Tell all to leave, wait for role after role, kill those that take too long. A second signal kills at once.

    A role that outlasts those before it is told when they are gone.

    `max_wait_s`: how long they may take, 0 is for ever. Those that a reload started or sent away are treated alike.
    `expiry` goes on ending those whose task takes too long.
    """
    last = {number for role in roles if role.outlasts_previous for number in role.slots}
    children.signal(signal.SIGTERM, [child for child in children.all if child.slot not in last])
    killed: set[int] = set()
    told_at = time.monotonic()
    deadline = told_at + max_wait_s if max_wait_s else float("inf")
    for role in roles:
        role.on_previous_gone()
        if role.outlasts_previous:
            children.signal(signal.SIGTERM, [child for child in children.all if child.slot in role.slots])
        deadline = max(deadline, time.monotonic() + _END_OF_STREAMS_S)
        while left := [child for child in children.all if child.slot in role.slots]:
            rest_s = deadline - time.monotonic()
            if rest_s <= 0:
                _kill(children, [child for child in left if child.pid not in killed])
                killed |= {child.pid for child in left}
                rest_s = 0.05
            expiry.enforce()
            again = is_stop(mailbox.wait(min(rest_s, 0.5)))
            # A service manager may signal the process and then its group: that is one wish, not two.
            if again and time.monotonic() > told_at + _ONE_WISH_S:
                deadline = time.monotonic()
            children.note_ready()
            children.reap()


def _kill(children: Children, left: Sequence[Child]) -> None:
    if left:
        facts = {
            "titles": [children.title(child.slot) for child in left],
            "slots": sorted({child.slot for child in left}),
            "pids": [child.pid for child in left],
        }
        log.warning("children did not stop in time, killed", extra=facts)
        children.kill(left)
