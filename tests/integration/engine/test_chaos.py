"""Numbered tasks while processes die, are replaced and stand still at random moments.

CHAOS_SEED repeats a run. CHAOS_SECONDS, for all tests here together, makes it longer by more of them: `make chaos`.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import Client, IpcMode, Server
from tests.integration.engine.chaos_actions import ACTIONS, Scene
from tests.integration.engine.chaos_program import async_numbers, numbers
from tests.integration.engine.chaos_senders import Crowd, Pace
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.test_queues import queue_of
from tests.integration.engine.workshop import FRAMES
from tests.ports import free_port

CLIENTS, TASKS_A_CLIENT = 2, 2_500
ACTS, ACTS_TAKE_S = 12, 6
"""How many things are done to a server, and how long that takes about."""
LIVES = 3
"""Of a server under a key."""
SETTINGS: dict[str, Any] = {
    "worker_num": 2,
    "task_worker_num": 3,
    "task_max_attempts": 255,
    "max_wait_time": 1,
    **FRAMES,
}
SECONDS = int(os.environ.get("CHAOS_SECONDS", "0"))
_TESTS = 6

Program = Callable[[Server], None]
PROGRAMS = pytest.mark.parametrize("program", [numbers, async_numbers], ids=["one by one", "coroutines"])
pytestmark = [pytest.mark.long, pytest.mark.timeout(180 + SECONDS // _TESTS)]


def rounds() -> Iterator[random.Random]:
    """Where each round has its chances from, whose seed is printed and repeats it. One, or as many as fit into the
    time."""
    ends_at = time.monotonic() + SECONDS / _TESTS
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    while True:
        print(f"CHAOS_SEED={seed}", flush=True)
        yield random.Random(seed)
        if time.monotonic() > ends_at:
            return
        seed = random.Random(f"after {seed}").randrange(2**32)


# ── what is done ────────────────────────────────────────────────────────────────────────────────


def crowd_at(port: int) -> Crowd:
    """Clients that begin to ask."""
    crowd = Crowd(lambda: Client("127.0.0.1", port, timeout_s=10))
    for _ in range(CLIENTS):
        crowd.begin(TASKS_A_CLIENT, Pace(ACTS_TAKE_S))
    return crowd


def act(scene: Scene, count: int) -> None:
    """Do so many things at random."""
    for _ in range(count):
        scene.pause(0.05, 0.3)  # more often, and clients would be held back at their start
        action = scene.chance.choice(ACTIONS)
        print(f"{time.monotonic():.3f} {action.__name__}", flush=True)
        action(scene)


# ── what has to be true at the end ──────────────────────────────────────────────────────────────


def stats(server: Running) -> dict[str, Any] | None:
    """The numbers at a quiet moment; None when it is not one."""
    before = len(server.notes("stats"))
    with suppress(OSError, AssertionError), server.client() as client:
        client.send(b"stats")
        found = dict(server.wait_for_notes("stats", before + 1, 2)[-1][0])
        return None if found["tasks_waiting"] or found["tasks_running"] else found
    return None


def missing(server: Running, crowd: Crowd) -> set[int]:
    """The numbers that nobody has seen to yet."""
    return crowd.numbers - {number for (number,) in server.notes("done")}


def check_all_done(server: Running, crowd: Crowd) -> None:
    """Whatever was done to the server, every task is done."""
    crowd.join(60)
    # Of a worker that was killed between taking a task and counting it the numbers are one off, either way: what is to
    # be done may be under way yet when they say that nothing is.
    wait_until(lambda: not missing(server, crowd), f"all {len(crowd.numbers)} tasks are done", 60)
    last = wait_until(lambda: stats(server), "a quiet moment", 60)
    assert last is not None
    done = [number for (number,) in server.notes("done")]
    assert server.notes("task_error") == []
    assert last["tasks_failed"] == last["tasks_lost"] == 0
    # one event worker answers for the numbers while what the other one removes next may still be there
    wait_until(lambda: not server.spill_files(), "no file of a task is left")
    print(f"{len(crowd.numbers)} numbers, done {len(done)} times")


def unheard(server: Running, crowd: Crowd) -> set[int]:
    """The numbers whose result nobody has heard yet."""
    return crowd.numbers - {number for (number,) in server.notes("finish")}


def check_results(crowd: Crowd, server: Running, kills: int) -> None:
    """While the manager lives, every result is heard. One that was killed after it took a task and before it counted
    it makes a difference of one."""
    # numbers that are off may say that nothing is under way while the last results are
    wait_until(lambda: not unheard(server, crowd), f"all {len(crowd.numbers)} results are heard", 60)
    last = wait_until(lambda: stats(server), "a quiet moment", 60)
    assert last is not None
    kills += len(server.log("killed"))
    finished = last["tasks_done"] + last["tasks_failed"] + last["tasks_lost"]
    assert abs(last["tasks_submitted"] - finished) <= kills
    assert finished >= len(crowd.numbers)


# ── the tests ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", [IpcMode.SOCKET, IpcMode.QUEUE], ids=["socket", "queue"])
@PROGRAMS
def test_every_task_is_done_although_workers_of_both_kinds_die_and_are_replaced_all_the_time(
    tmp_path: Path, mode: IpcMode, program: Program
) -> None:
    settings = {**SETTINGS, "task_enable_coroutine": program is async_numbers, "task_ipc_mode": mode}
    for chance in rounds():
        directory = tmp_path / "round"
        settings["task_max_request"] = chance.choice([0, 60, 500])
        with running(program, directory, **settings) as server:
            key = int((server.spill / "queue").read_text()) if mode == IpcMode.QUEUE else 0
            crowd = crowd_at(server.port)
            scene = Scene(server, chance, crowd)

            act(scene, ACTS)

            check_all_done(server, crowd)
            check_results(crowd, server, scene.kills)
        assert not key or queue_of(key) is None
        shutil.rmtree(directory)


@PROGRAMS
def test_every_task_is_done_although_the_whole_server_dies_or_stops_again_and_again(
    tmp_path: Path, program: Program
) -> None:
    for chance in rounds():
        directory, port, key = tmp_path / "round", free_port(), chance.randrange(1, 2**31)
        settings: dict[str, Any] = {**SETTINGS, "task_ipc_mode": IpcMode.QUEUE, "message_queue_key": key}
        settings["task_enable_coroutine"] = program is async_numbers
        settings["task_max_request"] = chance.choice([0, 60, 500])
        crowd = crowd_at(port)
        for life in range(LIVES):
            with running(program, directory, port=port, **settings) as server:
                act(Scene(server, chance, crowd), ACTS // LIVES)
                if life < LIVES - 1:
                    end(server, chance)
                    continue
                check_all_done(server, crowd)
        assert queue_of(key) is None
        shutil.rmtree(directory)


def end(server: Running, chance: random.Random) -> None:
    """In good order, or by kill -9 of every process: what is not done stays for the next start."""
    if chance.random() < 0.5:
        server.kill_all()
    else:
        server.leaves_tasks = True
        server.send_signal(chance.choice([signal.SIGTERM, signal.SIGINT]))
        assert server.exit_status() == 0, server.stderr()
