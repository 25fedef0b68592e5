"""Says in the log what holds an event loop up, while it does."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from types import FrameType

from engine.log_lines import get_logger

log = get_logger(__name__)

HELD_S = 1.0
"""Nothing may keep a loop from its other clients for so long."""
_LOOK_EVERY_S = 0.5
_SECOND_LOOK_S = 0.1
_ENGINE = str(Path(__file__).parents[1])
_RUNNERS = asyncio.runners.__file__
"""Below it in the stack is what started the process."""


@contextmanager
def watched(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the loop of this thread is, one line in the log for each time that it is held up for HELD_S or more. A
    thread asks it for a sign of life twice a second."""
    watch = _Watch(loop, threading.get_ident())
    threading.Thread(target=watch.run, name="loop watch", daemon=True).start()
    try:
        yield
    finally:
        watch.stop()


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._stopped = threading.Event()
        self._sign = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self._sign.set()

    def run(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_S):
            self._sign.clear()
            try:
                self._loop.call_soon_threadsafe(self._sign.set)
            except RuntimeError:  # it was closed at this moment
                return
            # a process that stood still is not held up: it gets a moment to go on
            if not self._sign.wait(HELD_S) and not self._sign.wait(_SECOND_LOOK_S):
                log.warning("event loop is held up", extra=_culprit(self._thread_id))
                self._sign.wait()


def _culprit(thread_id: int) -> dict[str, object]:
    """The program's function that the loop called, and where that is now."""
    frames = list(takewhile(lambda each: each.f_code.co_filename != _RUNNERS, _stack(thread_id)))
    of_program = [each for each in frames if not each.f_code.co_filename.startswith(_ENGINE)]
    if not of_program:
        return {"held_s": HELD_S}
    callback, now = of_program[-1].f_code, frames[0]
    return {"held_s": HELD_S, "callback": callback.co_qualname, "where": f"{now.f_code.co_filename}:{now.f_lineno}"}


def _stack(thread_id: int) -> Iterator[FrameType]:
    """The innermost frame first."""
    frame = sys._current_frames().get(thread_id)
    while frame:
        yield frame
        frame = frame.f_back
