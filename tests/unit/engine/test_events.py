"""engine/events.py: names as Swoole's users write them."""

import functools
from typing import Any

import pytest

from engine import Server, Settings, UsageError
from engine.events import EVENTS, Events


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize(
    "spell",
    [str, str.upper, str.title, lambda name: name.replace("_", ""), lambda name: name.title().replace("_", "")],
    ids=["plain", "UPPER", "Title_Case", "withoutunderscores", "CamelCase"],
)
def test_an_event_may_be_written_in_any_case(event: str, spell: Any) -> None:
    events = Events()

    events.register(spell(event), print)

    assert events.get(event) is print


def test_an_event_without_a_callback_has_none() -> None:
    assert Events().get("receive") is None


def test_the_last_callback_counts() -> None:
    events = Events()

    events.register("receive", print)
    events.register("Receive", dict)

    assert events.get("receive") is dict


@pytest.mark.parametrize(
    ("wrong", "right"), [("recieve", "receive"), ("onTask", "task"), ("worker_strat", "worker_start")]
)
def test_an_unknown_name_is_told_which_one_was_meant(wrong: str, right: str) -> None:
    with pytest.raises(UsageError, match=f"no event is named '{wrong}', did you mean {right}"):
        Events().register(wrong, print)


def test_a_name_that_is_like_none_is_told_all() -> None:
    with pytest.raises(UsageError) as caught:
        Events().register("zzzzzz", print)

    assert all(event in str(caught.value) for event in EVENTS)


@pytest.mark.parametrize("callback", ["receive", 7, [print]])
def test_what_cannot_be_called_is_refused_at_once(callback: Any) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        Events().register("receive", callback)


def three(server: Server, fd: int, data: bytes) -> None: ...


class Called:
    def __call__(self, server: Server) -> None: ...


@pytest.mark.parametrize(
    ("event", "callback", "said"),
    [
        ("receive", three, "(server, fd, reactor_id, data), and three takes (server: "),
        ("Start", lambda: None, "the callback of start is called with (server), and "),
        ("finish", functools.partial(three, fd=1), "(server, task_id, data), and partial takes (server: "),
        ("task", Called(), "and Called takes (server: "),
        ("pipe_message", lambda server, src, message, *, more: None, "and "),
    ],
)
def test_what_cannot_be_called_with_the_arguments_of_the_event_is_refused_at_once(
    event: str, callback: Any, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Events().register(event, callback)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "callback",
    [
        print,
        lambda *args: None,
        lambda server, fd, reactor_id, data, more=1: None,
        functools.partial(lambda more, *args: None, 1),
    ],
)
def test_what_can_be_called_with_the_arguments_of_the_event_is_taken(callback: Any) -> None:
    Events().register("receive", callback)


def test_on_works_as_a_call_and_as_a_decorator() -> None:
    server = Server("127.0.0.1", 0)

    assert server.on("Receive", print) is print

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> None: ...

    assert task.__name__ == "task"


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.send(1, b"x"),
        lambda server: server.close(1),
        lambda server: server.exists(1),
        lambda server: server.get_client_info(1),
        lambda server: server.connections,
        lambda server: server.finish(b"x"),
        lambda server: server.send_message("x", 0),
        lambda server: server.attempt,
        lambda server: server.stopping,
        lambda server: server.stats(),
        lambda server: server.task(b"x"),
    ],
)
def test_before_the_start_a_call_says_where_it_belongs(call: Any) -> None:
    with pytest.raises(UsageError):
        call(Server("127.0.0.1", 0))


def test_a_server_without_a_callback_for_receive_does_not_start() -> None:
    with pytest.raises(UsageError, match="receive"):
        Server("127.0.0.1", 0).start()


async def a_coroutine(*_: Any) -> None: ...


class Called:
    async def __call__(self, *_: Any) -> None: ...


@pytest.mark.parametrize("callback", [a_coroutine, Called(), functools.partial(a_coroutine, 1), Called().__call__])
def test_a_task_that_is_async_def_does_not_start_without_the_setting_which_the_error_names(callback: Any) -> None:
    server = Server("127.0.0.1", 0, Settings(task_worker_num=1))
    server.on("receive", print)
    server.on("task", callback)

    with pytest.raises(UsageError, match="set task_enable_coroutine"):
        server.start()


@pytest.mark.parametrize("callback", [print, lambda *_: None, functools.partial(print)])
def test_a_plain_callback_is_not_taken_for_async(callback: Any) -> None:
    events = Events()
    assert not events.is_async("task")

    events.register("task", callback)

    assert not events.is_async("task")
