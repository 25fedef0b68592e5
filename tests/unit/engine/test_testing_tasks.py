"""engine/testing: tasks, and what waits for them, without processes and without waiting."""

import asyncio
import sys
import threading
import time
from typing import Any

import pytest

from engine import Server, TaskFailed, TaskLost, TaskQueueFull, TaskTimeout, UnknownWorker, UsageError
from engine.testing import InlineServer
from tests.unit.engine.inlines import Inline, error_of, inline, make_server, throw

__all__ = ["inline"]


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


def test_a_task_waits_until_it_is_run(inline: Inline) -> None:
    server = inline()
    client = server.connect()

    client.send(b"hello")
    assert client.received == b""
    assert server.stats().tasks_waiting == 1

    assert server.run_tasks() == 1
    assert client.received == b"HELLO"


def test_tasks_run_in_the_order_they_were_given_and_as_many_as_asked_for(inline: Inline) -> None:
    server = inline()
    client = server.connect()
    for data in (b"a", b"b", b"c"):
        client.send(data)

    assert server.run_tasks(most=2) == 2
    assert client.received == b"AB"
    assert server.run_tasks() == 1
    assert server.run_tasks() == 0


def test_a_result_that_leads_to_a_task_is_followed_to_the_end(inline: Inline) -> None:
    def finish(server: Server, task_id: int, rest: int) -> None:
        if rest:
            server.task(rest)

    server = inline(
        receive=lambda server, fd, reactor_id, data: server.task(3),
        task=lambda server, task_id, src, left: left - 1,
        finish=finish,
    )
    server.connect().send(b"go")

    assert server.run_tasks() == 3


def test_data_and_results_are_copies_as_between_processes(inline: Inline) -> None:
    mine: list[Any] = [1]
    results: list[Any] = []

    def task(server: Server, task_id: int, src_worker_id: int, data: list[Any]) -> list[Any]:
        data.append(2)
        return data

    server = inline(
        receive=lambda server, fd, reactor_id, data: server.task(mine),
        task=task,
        finish=lambda server, task_id, result: results.append(result),
    )
    server.connect().send(b"go")
    mine.append("after the task was submitted")
    server.run_tasks()

    assert results == [[1, 2]]


def test_what_cannot_be_pickled_is_refused_where_it_is_submitted(inline: Inline) -> None:
    server = inline(receive=lambda server, fd, reactor_id, data: raised.append(error_of(server.task, threading.Lock())))
    raised: list[Exception] = []

    server.connect().send(b"go")

    assert isinstance(raised[0], TypeError)
    assert server.stats().tasks_submitted == 0


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (lambda *_: throw(ValueError("no")), "ValueError: no"),
        (lambda *_: threading.Lock(), "TypeError: cannot pickle '_thread.lock' object"),
        (lambda server, *_: (server.finish(1), server.finish(2)), ""),
        (lambda server, *_: server.task(b"x"), "UsageError: task() cannot be called in a task worker"),
        (lambda server, *_: server.connections, "UsageError: only event workers have connections"),
    ],
    ids=["raises", "unpicklable result", "finishes twice", "gives a task", "asks for connections"],
)
def test_a_handler_that_fails_ends_as_task_failed(inline: Inline, task: Any, text: str) -> None:
    ends: list[Any] = []
    server = inline(
        raise_errors=False,
        task=task,
        receive=lambda server, fd, reactor_id, data: server.task(data),
        task_error=lambda server, task_id, error: ends.append(error),
        finish=lambda server, task_id, result: ends.append(result),
    )

    server.connect().send(b"go")
    server.run_tasks()

    assert len(ends) == 1
    if text:
        assert isinstance(ends[0], TaskFailed)
        assert str(ends[0]).startswith(text)
    else:
        assert ends == [1]  # what was finished first counts


def test_a_handler_that_leaves_is_tried_again_and_at_last_lost(inline: Inline) -> None:
    attempts: list[int] = []
    ends: list[Any] = []

    def task(server: Server, task_id: int, src_worker_id: int, deaths: bytes) -> str:
        attempts.append(server.attempt)
        if server.attempt <= int(deaths):
            raise SystemExit(7)
        return "survived"

    server = inline(
        receive=lambda server, fd, reactor_id, data: server.task(data),
        task=task,
        finish=lambda server, task_id, result: ends.append(result),
        task_error=lambda server, task_id, error: ends.append(error),
    )
    client = server.connect()
    client.send(b"2")
    client.send(b"9")

    server.run_tasks()

    assert attempts == [1, 2, 3, 1, 2, 3]
    assert ends[0] == "survived"
    assert isinstance(ends[1], TaskLost)
    assert ends[1].attempts == 3
    assert server.stats().tasks_redelivered == 4


def test_tasks_beyond_the_limit_are_refused(inline: Inline) -> None:
    server = inline({"task_queue_max_bytes": 2**16}, receive=lambda server, fd, r, data: errors.append(_full(server)))
    errors: list[Any] = []
    client = server.connect()

    for _ in range(3):
        client.send(b"go")
    server.run_tasks()
    client.send(b"go")

    assert [type(error) for error in errors] == [type(None), type(None), TaskQueueFull, type(None)]


def _full(server: Server) -> TaskQueueFull | None:
    try:
        server.task(bytes(2**15 - 1000))
    except TaskQueueFull as error:
        return error
    return None


def test_a_named_task_worker_gets_the_task_and_an_unknown_one_is_refused(inline: Inline) -> None:
    seen: list[Any] = []
    server = inline(
        receive=lambda server, fd, reactor_id, data: server.task(data, int(data)),
        task=lambda server, task_id, source, data: seen.append((server.worker_id, server.taskworker, source)),
    )

    server.connect(1).send(b"1")
    server.connect(0).send(b"0")
    with pytest.raises(UnknownWorker):
        server.connect(0).send(b"2")
    server.run_tasks()

    assert seen == [(3, True, 1), (2, True, 0)]


@pytest.mark.parametrize(
    ("task", "expected", "cause"),
    [
        (lambda *_: throw(ValueError("no")), TaskFailed, ValueError),
        (lambda *_: sys.exit(1), TaskLost, SystemExit),
        (lambda server, *_: (server.finish(1), throw(ValueError("behind"))), ValueError, type(None)),
    ],
    ids=["fails", "exits", "raises when it is answered"],
)
def test_the_bad_end_of_a_task_of_which_nobody_hears_is_raised(
    inline: Inline, task: Any, expected: Any, cause: Any
) -> None:
    server = inline(task=task, receive=lambda server, fd, reactor_id, data: server.task(data))
    server.connect().send(b"go")

    with pytest.raises(expected) as caught:
        server.run_tasks()

    assert isinstance(caught.value.__cause__, cause)
    assert server.run_tasks() == 0


@pytest.mark.parametrize(
    "arguments", [(0, "1"), (0, None), (0, True), (0, 2), (0, -1, "not a callback"), (0, -1, None, 7)]
)
def test_what_a_task_is_given_wrong_is_said_when_it_is_given(inline: Inline, arguments: tuple[Any, ...]) -> None:
    errors: list[Exception] = []

    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        try:
            server.task(*arguments)
        except UsageError as error:
            errors.append(error)

    server = inline(receive=receive)
    server.connect().send(b"go")
    server.run_tasks()

    assert len(errors) == 1
    assert "cannot be" in str(errors[0])


def test_a_task_may_be_a_coroutine_where_the_settings_say_so(inline: Inline) -> None:
    async def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        await asyncio.sleep(3600)
        return data + str(server.worker_id).encode()

    server = inline({"task_enable_coroutine": True}, task=task)
    client = server.connect()

    client.send(b"worker ")
    server.run_tasks()

    assert client.received == b"worker 2"
    with pytest.raises(UsageError, match="task_enable_coroutine"), InlineServer(make_server(task=task)):
        pass


def test_a_coroutine_that_leaves_or_never_ends_does_not_stop_the_test(inline: Inline) -> None:
    async def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        await asyncio.sleep(1)
        if data == b"leaves" and server.attempt == 1:
            raise SystemExit(1)
        if data == b"waits":
            await asyncio.get_running_loop().create_future()
        return data

    errors: list[Exception] = []
    server = inline(
        {"task_enable_coroutine": True},
        task=task,
        task_error=lambda server, task_id, error: errors.append(error),
    )
    client = server.connect()
    client.send(b"waits")
    client.send(b"leaves")

    server.run_tasks()

    assert client.received == b"leaves"
    assert [str(error) for error in errors] == [
        "UsageError: task 0 waits for something that never comes while it runs alone"
    ]


def test_who_asked_hears_of_the_failure_alone(inline: Inline) -> None:
    heard: list[str] = []

    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        server.task(7, error_callback=lambda server, task_id, error: heard.append(f"{task_id}: {error}"))
        server.task(data, error_callback=lambda *_: heard.append("never"))

    server = inline(
        receive=receive,
        finish=lambda server, task_id, result: heard.append(result),
        task_error=lambda server, task_id, error: heard.append("task_error"),
    )
    server.connect().send(b"x")
    server.run_tasks()

    assert heard == ["0: AttributeError: 'int' object has no attribute 'upper'", b"X"]


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────


def test_a_callback_can_wait_for_its_task(inline: Inline) -> None:
    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        try:
            server.send(fd, await server.task_wait(data, 2.0))
        except TaskTimeout as error:
            server.send(fd, str(error))

    server = inline(receive=receive)
    client = server.connect()

    client.send(b"in time ")
    server.advance(1.9)
    server.run_tasks()
    assert client.take() == b"IN TIME "

    client.send(b"too late")
    server.advance(2)
    assert client.take() == b"task 1 was not done within 2 s"
    server.run_tasks()
    assert server.stats().tasks_late == 1


def test_several_tasks_are_waited_for_together_in_the_order_asked(inline: Inline) -> None:
    got: list[Any] = []

    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        got.extend(await server.task_wait_multi([b"a", 7, b"c"]))

    server = inline(receive=receive)
    server.connect(1).send(b"go")
    server.run_tasks()

    assert got[0] == b"A"
    assert isinstance(got[1], TaskFailed)
    assert got[2] == b"C"


def test_sleeping_costs_no_time(inline: Inline) -> None:
    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        for _ in range(3):
            await asyncio.sleep(1000)
            server.send(fd, b".")

    server = inline(receive=receive)
    client = server.connect()
    began = time.monotonic()

    client.send(b"go")
    server.advance(2500)

    assert client.received == b".."
    assert time.monotonic() - began < 10


def test_work_in_threads_is_waited_for(inline: Inline) -> None:
    released = threading.Event()

    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        threading.Timer(0.05, released.set).start()
        server.send(fd, str(await asyncio.to_thread(released.wait, 10)))

    client = inline(receive=receive).connect()
    client.send(b"go")

    assert client.received == b"True"


def test_each_coroutine_keeps_its_worker_id_however_they_take_turns(inline: Inline) -> None:
    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            server.send(fd, str(server.worker_id))

    server = inline(receive=receive)
    first, second = server.connect(0), server.connect(1)

    first.send(b"go")
    second.send(b"go")
    server.run_tasks()
    server.advance(3)

    assert (first.received, second.received) == (b"000", b"111")
