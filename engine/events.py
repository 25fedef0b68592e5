"""The events of a server, and the callbacks that a program gave for them."""

import difflib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from engine.errors import UsageError

EVENTS = {
    "start": "server",
    "shutdown": "server",
    "manager_start": "server",
    "manager_stop": "server",
    "worker_start": "server, worker_id",
    "worker_exit": "server, worker_id",  # an event worker begins to leave: let go what would keep it
    "worker_stop": "server, worker_id",
    "worker_error": "server, worker_id, pid, exit_code, signal",
    "before_reload": "server",
    "after_reload": "server",
    "connect": "server, fd, reactor_id",
    "receive": "server, fd, reactor_id, data",
    "close": "server, fd, reactor_id",  # the socket is gone; once for each connect
    "task": "server, task_id, src_worker_id, data",
    "finish": "server, task_id, data",
    "task_error": "server, task_id, error",
    "pipe_message": "server, src_worker_id, message",
}
"""Every event and the arguments its callback takes, in order."""
IN_MANAGER = ("start", "shutdown", "manager_start", "manager_stop", "worker_error", "before_reload", "after_reload")
"""Those that the manager calls, which has no event loop."""

Callback = Callable[..., Any]
AnyCallback = TypeVar("AnyCallback", bound=Callback)


class TaskCallbacks(NamedTuple):
    """The callbacks of one task instead of `finish` and `task_error`."""

    finish: Callback | None
    error: Callback | None


TaskEnd = Callback | TaskCallbacks | None
"""A callback for `finish` alone goes as it is: an object for each task would be noticed."""


def finish_of(end: TaskEnd) -> Callback | None:
    return end.finish if isinstance(end, TaskCallbacks) else end


def error_of(end: TaskEnd) -> Callback | None:
    return end.error if isinstance(end, TaskCallbacks) else None


_by_plain_name = {name.replace("_", ""): name for name in EVENTS}


class Events:
    """Callbacks by event. A name may be written in any letter case, with or without underscores."""

    def __init__(self) -> None:
        self._callbacks: dict[str, Callback] = {}

    def register(self, name: str, callback: Callback) -> None:
        """Call `callback` at event `name`; the last one given counts. Raises UsageError for an unknown name, and for
        what cannot be called with the event's arguments."""
        plain = name.replace("_", "").lower()
        if plain not in _by_plain_name:
            near = difflib.get_close_matches(plain, _by_plain_name, n=1)
            hint = f"did you mean {_by_plain_name[near[0]]}?" if near else f"there are {', '.join(EVENTS)}"
            raise UsageError(f"no event is named {name!r}, {hint}")
        if not callable(callback):
            raise UsageError(f"the callback of {name!r} is {callback!r}, which cannot be called")
        _check_arguments(event := _by_plain_name[plain], callback)
        self._callbacks[event] = callback

    def get(self, event: str) -> Callback | None:
        """Return the callback of `event`, spelt as in EVENTS."""
        return self._callbacks.get(event)

    def is_async(self, event: str) -> bool:
        """Return whether the callback of `event` is an `async def`, or an object that is called like one."""
        callback = self._callbacks.get(event)
        return any(map(inspect.iscoroutinefunction, (callback, type(callback).__call__)))


def _check_arguments(event: str, callback: Callback) -> None:
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # some that are written in C do not say what they take
        return
    try:
        signature.bind(*EVENTS[event].split(", "))
    except TypeError:
        name = getattr(callback, "__qualname__", type(callback).__qualname__)
        said = f"the callback of {event} is called with ({EVENTS[event]}), and {name} takes {signature}"
        raise UsageError(said) from None
