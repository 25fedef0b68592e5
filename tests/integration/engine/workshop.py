"""A server for tests: every frame asks for something, most of it as a task; answers go back to who asked."""

import asyncio
import ctypes
import inspect
import os
import pickle
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from engine import Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, wait_until

FRAMES = {"open_length_check": True, "package_body_offset": 4, "package_max_length": 64 * 2**20}
"""Settings that every workshop needs."""


class Answer(NamedTuple):
    """`kind` is finish, task_error, stats, …; `worker_id` and `attempt` tell who did it, and how often it was tried."""

    kind: str
    task_id: int
    worker_id: int
    attempt: int
    value: Any


class Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("this stays where it is")


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("cannot travel", threading.Lock())


class Unreadable:
    """Can be packed, and not be unpacked."""

    def __reduce__(self) -> Any:
        return int, ("not a number",)


# ── the server ──────────────────────────────────────────────────────────────────────────────────


def workshop(server: Server) -> None:
    asked_by: dict[int, tuple[int, int]] = {}

    def answer(to: tuple[int, int], *facts: Any) -> None:
        fd, number = to
        body = pickle.dumps((number, Answer(*facts)))
        server.send(fd, struct.pack(">I", len(body)) + body)

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        number, verb, data, target = pickle.loads(frame[4:])
        here = server.worker_id
        if verb == "here":
            answer((fd, number), "here", -1, here, 1, _value_of(data, server, fd))
        elif verb == "with callback":
            server.task(
                data,
                target,
                finish_callback=lambda s, i, value: answer((fd, number), "callback", i, here, 1, value),
                error_callback=lambda s, i, error: answer((fd, number), "error callback", i, here, 1, error),
            )
        else:
            try:
                task_id = server.task((verb, data), target)
            except Exception as error:
                answer((fd, number), "refused", -1, here, 1, f"{type(error).__name__}: {error}")
                return
            asked_by[task_id] = fd, number

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, job: tuple[str, Any]) -> Any:
        verb, data = job
        note("task", task_id, verb, server.worker_id, server.attempt)
        return server.worker_id, server.attempt, globals()[f"do_{verb.replace(' ', '_')}"](server, data)

    @server.on("finish")
    def finish(server: Server, task_id: int, result: tuple[int, int, Any]) -> None:
        note("finish", task_id)
        if task_id in asked_by:
            answer(asked_by[task_id], "finish", task_id, *result)

    @server.on("task_error")
    def task_error(server: Server, task_id: int, error: Exception) -> None:
        note("task_error", task_id, type(error).__name__)
        if task_id in asked_by:
            answer(asked_by[task_id], "task_error", task_id, -1, -1, error)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        note("worker_start", worker_id, os.getpid())


def async_workshop(server: Server) -> None:
    """The same, and a task may be a coroutine, as may be what is called around it."""
    workshop(server)

    @server.on("task")
    async def task(server: Server, task_id: int, src_worker_id: int, job: tuple[str, Any]) -> Any:
        verb, data = job
        note("task", task_id, verb, server.worker_id, server.attempt)
        result = globals()[f"do_{verb.replace(' ', '_')}"](server, data)
        if inspect.isawaitable(result):
            result = await result
        note("through", task_id)
        return None if result is None else (server.worker_id, server.attempt, result)

    @server.on("pipe_message")
    async def pipe_message(server: Server, src_worker_id: int, message: Any) -> None:
        await asyncio.sleep(0)
        note("pipe_message", server.worker_id, src_worker_id, message)

    @server.on("worker_start")
    async def worker_start(server: Server, worker_id: int) -> None:
        await asyncio.sleep(0)
        note("worker_start", worker_id, os.getpid())

    @server.on("worker_stop")
    async def worker_stop(server: Server, worker_id: int) -> None:
        await asyncio.sleep(0)
        note("worker_stop", worker_id, os.getpid())


# ── what a task can be ──────────────────────────────────────────────────────────────────────────


def do_echo(server: Server, data: Any) -> Any:
    return data


def do_sleep(server: Server, seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def do_sleep_long(server: Server, data: Any) -> None:
    time.sleep(60)


def do_wait_for_file(server: Server, path: str) -> str:
    """A long task that the test can end."""
    wait_until(Path(path).exists, path, 60)
    return path


async def do_rest(server: Server, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def do_rest_on(server: Server, seconds: float) -> float:
    """The same, whoever cancels it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(until - time.monotonic())
    return seconds


async def do_await_file(server: Server, path: str) -> str:
    """The same, and other tasks of its process go on."""
    async with asyncio.timeout(60):
        while not Path(path).exists():  # noqa: ASYNC110, ASYNC240  nobody tells
            await asyncio.sleep(0.005)
    return path


async def do_await_stop_and_file(server: Server, path: str) -> str:
    """The same, once its process was told to stop, which it notes."""
    async with asyncio.timeout(60):
        while not server.stopping:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.005)
    note("told to stop")
    return await do_await_file(server, path)


async def do_finish_behind(server: Server, path: str) -> None:
    """Finishes by hand, from a coroutine of its own, once the file is there; gives back nothing."""

    async def finish() -> None:
        await do_await_file(server, path)
        server.finish((server.worker_id, server.attempt, path))

    await asyncio.create_task(finish())


async def do_cancel_itself(server: Server, data: None) -> None:
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


def do_do_here(server: Server, expression: str) -> Any:
    """Evaluate this in a task worker; the verb `here` does it in the event worker."""
    return _value_of(expression, server)


def _value_of(expression: str, server: Server, fd: int = 0) -> Any:
    return eval(expression, globals() | {"server": server, "fd": fd})


def _raised(call: Callable[[], Any]) -> Exception | None:
    """For such expressions: what a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


def answer_raw(server: Server, fd: int, value: Any) -> bool:
    """For such expressions: answer -1 of that connection."""
    body = pickle.dumps((-1, Answer("raw", -1, server.worker_id, server.attempt, value)))
    return server.send(fd, struct.pack(">I", len(body)) + body)


def do_raise(server: Server, text: str) -> None:
    raise ValueError(text)


def do_raise_unpicklable(server: Server, data: None) -> None:
    raise UnpicklableError


def do_return_unpicklable(server: Server, data: None) -> Any:
    return Unpicklable()


def do_return_unreadable(server: Server, data: None) -> Any:
    return Unreadable()


def do_sys_exit(server: Server, attempts: int) -> str:
    """Leaves at each of the first `attempts` attempts."""
    if server.attempt <= attempts:
        sys.exit(7)
    return "survived"


def do_os_exit(server: Server, attempts: int) -> str:
    if server.attempt <= attempts:
        os._exit(0)
    return "survived"


def do_die(server: Server, attempts: int) -> str:
    if server.attempt <= attempts:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def do_segfault(server: Server, attempts: int) -> str:
    if server.attempt <= attempts:
        ctypes.string_at(0)
    return "survived"


# ── the client ──────────────────────────────────────────────────────────────────────────────────


class Desk:
    """A connection to a workshop: ask, and wait for the answer."""

    def __init__(self, server: Running) -> None:
        self._client = server.client()
        self._asked = 0
        self._answers: dict[int, Answer] = {}

    def ask(self, verb: str, data: Any = None, target: int = -1) -> int:
        """Ask, and get the number to wait for."""
        self._asked += 1
        self._client.send(pickle.dumps((self._asked, verb, data, target)))
        return self._asked

    def answer(self, number: int) -> Answer:
        """The answer to this; raises OSError when the connection ends before."""
        while number not in self._answers:
            head = self._client.read(4)
            if len(head) < 4:
                raise ConnectionError("the server closed the connection")
            got, answer = pickle.loads(self._client.read(int.from_bytes(head, "big")))
            self._answers[got] = answer
        return self._answers.pop(number)

    def do(self, verb: str, data: Any = None, target: int = -1) -> Answer:
        return self.answer(self.ask(verb, data, target))

    def stats(self) -> dict[str, Any]:
        """What the event worker sees of the server."""
        return dict(self.do("here", "asdict(server.stats())").value)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


__all__ = ["FRAMES", "Answer", "Desk", "asdict", "async_workshop", "workshop"]
