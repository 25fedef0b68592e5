"""Inline servers for tests: a callback for each event that a test is about, and two that suffice for the rest."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from engine import Server, Settings
from engine.testing import InlineServer

Inline = Callable[..., InlineServer]


@pytest.fixture
def inline() -> Iterator[Inline]:
    """Begins a server from callbacks; it has two event workers and two task workers where nothing else is said."""
    with ExitStack() as end:

        def begin(
            settings: dict[str, Any] | None = None, *, raise_errors: bool = True, **callbacks: Any
        ) -> InlineServer:
            given = {"worker_num": 2, "task_worker_num": 2, **(settings or {})}
            server = make_server(Settings(**given), **callbacks)
            return end.enter_context(InlineServer(server, raise_errors=raise_errors))

        yield begin


def make_server(settings: Settings | None = None, **callbacks: Any) -> Server:
    server = Server("127.0.0.1", 0, settings or Settings(worker_num=1, task_worker_num=1))
    for event, callback in {"receive": submit, "task": upper, **callbacks}.items():
        server.on(event, callback)
    return server


def submit(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    server.task(data, finish_callback=lambda server, task_id, result: server.send(fd, result))


def upper(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
    return data.upper()


def error_of(call: Callable[..., Any], *args: Any) -> Exception:
    """What the call raises."""
    with pytest.raises(Exception) as caught:
        call(*args)
    return caught.value


def throw(error: BaseException) -> Any:
    """`raise` for a lambda."""
    raise error
