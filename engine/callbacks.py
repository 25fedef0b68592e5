"""Calls what the program gave for an event, a timer or one occasion; whatever that raises ends here, in the log."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from engine.events import Events
from engine.log_lines import get_logger

log = get_logger(__name__)


class Callbacks:
    """Callbacks of one process: a `def` runs at once; an `async def` goes on by itself, and needs a running loop.

    Only a coroutine is waited for. Any other object that a callback returns, a future as well, is its own business: a
    task that it started to go on for ever would hold up whoever leaves.
    """

    def __init__(self, server: Any, events: Events, on_error: Callable[[Exception], None] = lambda error: None) -> None:
        """`on_error(error)` is called with what a callback raised, once that is in the log."""
        self._server = server
        self._events = events
        self._on_error = on_error
        self.at_work: set[asyncio.Future[None]] = set()
        """Coroutines that are not done."""

    def call(self, event: str, *args: Any) -> Coroutine[Any, Any, Any] | None:
        """Call back, and return the coroutine where it is one. Raises what the callback raises."""
        callback = self._events.get(event)
        result = callback(self._server, *args) if callback else None
        return result if inspect.iscoroutine(result) else None

    def emit(self, event: str, *args: Any) -> asyncio.Future[None] | None:
        """Call back, log what is raised, and return the future of its coroutine, where it is one."""
        return self.guard(event, lambda: self.call(event, *args))

    def run(self, event: str, callback: Callable[..., Any], *args: Any) -> None:
        """Call a callback that was given for one occasion; `event` is its name in the log."""
        try:
            result = callback(self._server, *args)
        except Exception as error:
            self._say(event, error)
        else:
            if result is not None and inspect.iscoroutine(result):
                self._go_on(event, result)

    def guard(self, event: str, call: Callable[[], Any]) -> asyncio.Future[None] | None:
        """Log what `call` raises, now or in the coroutine that it returns; the future of that."""
        try:
            result = call()
        except Exception as error:
            self._say(event, error)
            return None
        return self._go_on(event, result) if inspect.iscoroutine(result) else None

    def _go_on(self, event: str, result: Coroutine[Any, Any, Any]) -> asyncio.Future[None]:
        work = asyncio.get_running_loop().create_task(self._finish(event, result))
        self.at_work.add(work)
        work.add_done_callback(self.at_work.discard)
        return work

    async def _finish(self, event: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            await coroutine
        except Exception as error:
            self._say(event, error)

    def _say(self, event: str, error: Exception) -> None:
        log.error("callback raised", exc_info=error, extra={"event": event})
        self._on_error(error)
