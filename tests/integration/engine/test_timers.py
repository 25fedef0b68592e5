"""Timers in event workers and task workers of a real server, and in an inline one."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server, Settings, UsageError
from engine.testing import InlineServer
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until


def timed(server: Server) -> None:
    """Every worker has a tick and a timer; tasks sleep for as long as they are told to."""
    server.on("receive", lambda server, fd, reactor_id, data: server.task(float(data[4:])))

    def once(word: str) -> None:
        note("after", server.worker_id, word)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        ticks: list[int] = []

        def tick() -> None:
            ticks.append(1)
            note("tick", worker_id, os.getpid())
            if len(ticks) == 3:
                note("cleared", worker_id, server.clear_timer(timer))

        timer = server.tick(20, tick)
        server.after(30, once, "a word")
        server.after(10, broken)

    def broken() -> None:
        raise ValueError("this timer is broken")

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, seconds: float) -> float:
        note("task begins", task_id)
        server.after(1, note, "between", task_id)
        time.sleep(seconds)
        note("task ends", task_id)
        return seconds


def async_timed(server: Server) -> None:
    timed(server)

    @server.on("task")
    async def task(server: Server, task_id: int, src_worker_id: int, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @server.on("worker_start")
    async def worker_start(server: Server, worker_id: int) -> None:
        at_once = [0]

        async def tick() -> None:
            at_once[0] += 1
            note("tick", worker_id, at_once[0])
            await asyncio.sleep(0.05)
            at_once[0] -= 1
            if worker_id == 1:
                raise ValueError("this tick is broken")

        server.tick(10, tick)


@pytest.mark.parametrize("mode", list(IpcMode))
def test_timers_call_in_event_workers_and_in_task_workers_that_wait(tmp_path: Path, mode: IpcMode) -> None:
    with running(timed, tmp_path, task_ipc_mode=mode) as server:
        server.errors_are_fine = True
        server.wait_for_notes("cleared", 2)
        server.wait_for_notes("after", 2)

        assert sorted(server.notes("after")) == [[0, "a word"], [1, "a word"]]
        assert sorted(server.notes("cleared")) == [[0, True], [1, True]]
        assert sorted(worker_id for worker_id, _ in server.notes("tick")) == [0, 0, 0, 1, 1, 1]
        assert {line["event"] for line in server.log("callback raised")} == {"timer"}
        assert len(server.log("callback raised")) == 2


def test_timers_of_a_task_worker_are_called_between_tasks(tmp_path: Path) -> None:
    with running(timed, tmp_path) as server, server.client() as client:
        server.errors_are_fine = True
        client.send(b"0.05")
        server.wait_for_notes("task ends", 1)
        server.wait_for_notes("between", 1)
        order = [line[0] for line in server._lines("notes") if line[0] in ("task begins", "task ends", "between")]

        assert order == ["task begins", "task ends", "between"]


def test_a_tick_whose_coroutine_is_at_work_does_not_begin_again_and_goes_on_after_an_error(tmp_path: Path) -> None:
    with running(async_timed, tmp_path, task_enable_coroutine=True) as server:
        server.errors_are_fine = True
        wait_until(lambda: all(ticks(server).count(worker_id) >= 4 for worker_id in (0, 1)), "both tick")

        assert {at_once for _, at_once in server.notes("tick")} == {1}
        assert server.log("callback raised")


def ticks(server: Running) -> list[int]:
    """Who ticked."""
    return [worker_id for worker_id, _ in server.notes("tick")]


def test_timers_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    with running(timed, tmp_path, max_wait_time=0) as server:
        server.errors_are_fine = True
        server.wait_for_notes("after", 2)

        assert server.stop() == 0


def test_an_inline_server_calls_timers_as_its_clock_is_moved() -> None:
    server = Server("127.0.0.1", 0, Settings(worker_num=1, task_worker_num=1))
    calls: list[Any] = []
    server.on("receive", lambda *args: None)
    server.on("task", lambda *args: None)

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        server.tick(1000, lambda: calls.append((server.worker_id, "tick")))
        timer = server.after(500, lambda: calls.append("never"))
        server.after(100, server.clear_timer, timer)

    with InlineServer(server) as inline:
        inline.advance(0.9)
        assert calls == []
        inline.advance(2.2)
        assert sorted(calls) == [(0, "tick")] * 3 + [(1, "tick")] * 3


def test_the_manager_has_no_timers() -> None:
    server = Server("127.0.0.1", 0)

    with pytest.raises(UsageError, match="inside event workers"):
        server.tick(10, lambda: None)
