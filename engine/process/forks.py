"""Keeps our signal handlers from processes that a callback forks.

`multiprocessing` and os.fork copy handlers, and a wake-up descriptor is one for parent and child: SIGTERM would do
nothing to the child, and be heard by its parent instead. What is started by exec, as `subprocess` does, has no handlers
anyway; it goes on ignoring what we ignore.
"""

import os
import signal
import threading
from collections.abc import Callable, Set
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None
"""What signal.getsignal gives."""

_ours: dict[int, tuple[Handler, Handler]] = {}
"""By signal: our handler, and the one that was there before."""
_mask = threading.local()


def note_handler(number: int, before: Handler) -> None:
    """Give forked children the handler `before`, and not the one that this signal has now."""
    _ours[number] = signal.getsignal(number), before


def forget_handler(number: int) -> None:
    """Note that the handler of this signal is not ours any more."""
    _ours.pop(number, None)


def _before() -> None:
    """Block our signals, so that one that arrives before the child has its own handlers waits for them."""
    _mask.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ours) if _ours else None


def _unblock() -> None:
    before: Set[int] | None = _mask.blocked
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_child() -> None:
    if _ours:
        signal.set_wakeup_fd(-1)
    for number, (handler, before) in _ours.items():
        if signal.getsignal(number) is handler:  # else the program put its own there
            signal.signal(number, signal.SIG_DFL if before is None else before)
    _ours.clear()
    _unblock()


os.register_at_fork(before=_before, after_in_parent=_unblock, after_in_child=_in_child)
