"""engine/callbacks.py: whatever a callback raises is in the log, once, and nothing else comes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.callbacks import Callbacks
from engine.events import Events


def callbacks(**given: Callable[..., Any]) -> Callbacks:
    events = Events()
    for event, callback in given.items():
        events.register(event, callback)
    return Callbacks("the server", events)


async def fails(*args: Any) -> None:
    await asyncio.sleep(0)
    raise RuntimeError("in the coroutine")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.msg.split(" (")[0], record.event) for record in caplog.records]  # type: ignore[attr-defined]


def test_what_a_callback_raises_is_logged_with_its_event(caplog: pytest.LogCaptureFixture) -> None:
    def callback(*args: Any) -> None:
        raise RuntimeError("at once")

    assert callbacks(connect=callback).emit("connect", 1, 0) is None

    assert said(caplog) == [("callback raised", "connect")]


def test_what_a_coroutine_raises_later_is_logged_and_it_is_at_work_until_then(caplog: pytest.LogCaptureFixture) -> None:
    made = callbacks(connect=fails)

    async def call() -> None:
        work = made.emit("connect", 1, 0)
        assert work is not None
        assert made.at_work == {work}
        await work

    asyncio.run(call())

    assert said(caplog) == [("callback raised", "connect")]
    assert made.at_work == set()


def test_a_callback_gets_the_server_and_its_arguments_and_no_callback_is_no_error() -> None:
    got: list[Any] = []
    made = callbacks(connect=lambda *args: got.append(args))

    made.emit("connect", 1, 0)
    made.emit("close", 1, 0)

    assert got == [("the server", 1, 0)]


def test_a_future_that_a_callback_returns_is_not_waited_for() -> None:
    async def call() -> None:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made = callbacks(connect=lambda *args: never)

        assert made.call("connect", 1, 0) is None
        assert made.emit("connect", 1, 0) is None
        assert made.guard("timer", lambda: never) is None
        assert made.at_work == set()

    asyncio.run(call())


def test_call_raises_what_the_callback_raises(caplog: pytest.LogCaptureFixture) -> None:
    def callback(*args: Any) -> None:
        raise RuntimeError("at once")

    with pytest.raises(RuntimeError, match="at once"):
        callbacks(worker_start=callback).call("worker_start", 0)

    assert caplog.records == []
