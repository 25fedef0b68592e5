"""Tasks of a microsecond, a millisecond, and as long as the test wants, all together, on real processes."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import running, wait_until

ROUNDS = 6
QUICK, SHORT = 0.0, 0.001


def mixture(server: Server) -> None:
    """Each event worker sends mixtures in bursts, and ends the long tasks once all others are answered."""
    at_work: list[asyncio.Task[None]] = []

    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        """Who is there; or a directory, and how many long tasks there are to be: begin."""
        if data == b"who":
            note("who", server.worker_id)
            return
        directory, count = data.decode().split()
        at_work.append(asyncio.get_running_loop().create_task(rounds(server, Path(directory), int(count))))

    server.on("receive", receive)
    server.on("task", mixed_task)


async def rounds(server: Server, directory: Path, long_ones: int) -> None:
    dice = random.Random(server.worker_id)
    try:
        for number in range(ROUNDS):
            await become_quick(server)
            gate = directory / f"gate-{server.worker_id}-{number}"
            jobs = [QUICK] * 200 + [SHORT] * 20 + [str(gate)] * long_ones
            dice.shuffle(jobs)
            waiting: dict[Any, list[asyncio.Task[Any]]] = {}
            while jobs:
                for job in [jobs.pop() for _ in range(min(len(jobs), dice.choice([1, 4, 30])))]:
                    asked = asyncio.ensure_future(server.task_wait(job, timeout=60))
                    waiting.setdefault(job, []).append(asked)
                await asyncio.sleep(dice.choice([0, 0, 0.00005, 0.002]))
            await asyncio.gather(*waiting[QUICK], *waiting[SHORT])
            assert not any(each.done() for each in waiting.get(str(gate), []))
            note("the others are done", server.worker_id, number)
            gate.touch()
            await asyncio.gather(*waiting.get(str(gate), []))
        note("through", server.worker_id)
    except Exception as error:
        note("failed", server.worker_id, repr(error))


async def become_quick(server: Server) -> None:
    """So many quick ones that every task worker is known for them, and gets many at a time."""
    for _ in range(30):
        await asyncio.gather(*[server.task_wait(QUICK, timeout=60) for _ in range(64)])


def mixed_task(server: Server, task_id: int, source: int, job: float | str) -> None:
    if isinstance(job, str):
        wait_until(Path(job).exists, job, 60)
    elif job:
        time.sleep(job)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("coroutines", [False, True], ids=["task workers", "task workers with a loop"])
@pytest.mark.parametrize("workers", [1, 2], ids=["one event worker", "two event workers"])
@pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name.lower())
def test_no_task_waits_behind_a_long_one_while_another_task_worker_is_idle(
    tmp_path: Path, mode: IpcMode, workers: int, coroutines: bool
) -> None:
    """Of four task workers all but one are in tasks that end only after every other task is answered."""
    settings: dict[str, Any] = {"worker_num": workers, "task_ipc_mode": mode, "task_enable_coroutine": coroutines}
    with running(mixture, tmp_path, task_worker_num=4, **settings) as server:
        long_ones = [3] if workers == 1 else [2, 1]
        clients = []
        reached: set[int] = set()
        while len(reached) < workers:  # the kernel gives a connection to whichever accepts first
            clients.append(client := server.connect())
            asked = len(server.notes("who"))
            client.sendall(b"who")
            (who,) = server.wait_for_notes("who", asked + 1)[-1]
            if who not in reached:
                reached.add(who)
                client.sendall(f"{tmp_path} {long_ones.pop()}".encode())

        wait_until(lambda: len(server.notes("through")) == workers or server.notes("failed"), "all rounds", 100)

        assert server.notes("failed") == []
        assert len(server.notes("the others are done")) == ROUNDS * workers
        for each in clients:
            each.close()
