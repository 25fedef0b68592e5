"""Twenty thousand numbered tasks while processes die at random moments. CHAOS_SEED repeats a run."""

import asyncio
import os
import random
import signal
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.test_queues import queue_of
from tests.integration.engine.workshop import FRAMES, asdict
from tests.ports import free_port

TASKS_A_CLIENT = 10_000
CLIENTS = 2
AT_ONCE = 200
"""Numbers that a client has sent and that are not yet said to be submitted."""
KILLS = 24
BODIES = [b"", b"small", b"x" * 5_000, b"y" * 20_000]
"""The last one travels in a file, and so does its result."""
SETTINGS: dict[str, Any] = {
    "worker_num": 2,
    "task_worker_num": 3,
    "task_max_attempts": 255,
    "task_max_request": 500,
    **FRAMES,
}


def numbers(server: Server) -> None:
    """A frame is number u32 and a body; the answer is the number, once its task is submitted."""

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        if frame[4:] == b"stats":
            note("stats", asdict(server.stats()))
            return
        server.task(frame[4:])
        server.send(fd, frame[4:8])

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        (number,) = struct.unpack_from(">I", data)
        if number % 20 == 0:
            time.sleep(0.01)  # a long one now and then
        note("done", number)
        return data

    @server.on("finish")
    def finish(server: Server, task_id: int, data: bytes) -> None:
        note("finish", struct.unpack_from(">I", data)[0])

    @server.on("task_error")
    def task_error(server: Server, task_id: int, error: Exception) -> None:
        note("task_error", task_id, str(error))


def async_numbers(server: Server) -> None:
    """The same, with many tasks at once in a task worker."""
    numbers(server)

    @server.on("task")
    async def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        (number,) = struct.unpack_from(">I", data)
        await asyncio.sleep(0.01 if number % 20 == 0 else 0)
        note("done", number)
        return data


class Pace:
    """Which share of their numbers the senders may send by now: what they do is spread over what is done to them."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._changed = threading.Condition()

    def allow(self, more: float) -> None:
        with self._changed:
            self._share += more
            self._changed.notify_all()

    def wait_for(self, share: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._share + 1e-9 >= share)


class Sender(threading.Thread):
    """A client that sends numbers until it was told of each that its task is submitted; connects again when it must."""

    def __init__(self, server: Running, numbers: range, pace: Pace) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._pace = pace
        self._count = len(numbers)
        self.unsaid = dict.fromkeys(numbers)
        self.sent: Counter[int] = Counter()

    def run(self) -> None:
        while self.unsaid:
            try:
                self._send_all()
            except OSError:
                time.sleep(0.01)

    def _send_all(self) -> None:
        with self._server.client() as client:
            to_send = list(self.unsaid)
            for first in range(0, len(to_send), AT_ONCE):
                some = to_send[first : first + AT_ONCE]
                self._pace.wait_for(1 - (len(self.unsaid) - len(some)) / self._count)
                for number in some:
                    client.send(struct.pack(">I", number) + BODIES[number % len(BODIES)])
                    self.sent[number] += 1
                for _ in some:
                    said = client.read(4)
                    if len(said) < 4:
                        return
                    self.unsaid.pop(struct.unpack(">I", said)[0], None)


def stats(server: Running) -> dict[str, Any] | None:
    """The numbers at a quiet moment; None when it is not one."""
    before = len(server.notes("stats"))
    with suppress(OSError), server.client() as client:
        client.send(b"stats")
        found = dict(server.wait_for_notes("stats", before + 1)[-1][0])
        return None if found["tasks_waiting"] or found["tasks_running"] else found
    return None


def kill_at_random(server: Running, chance: random.Random, pace: Pace) -> None:
    """Kill a random worker now and then; between two, the senders go on."""
    for _ in range(KILLS):
        threading.Event().wait(chance.uniform(0.1, 0.5))  # more often, and they would be held back at their start
        workers = wait_until(lambda: worker_pids(server), "a worker to kill", 60)
        with suppress(ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)
        pace.allow(1 / KILLS)


def worker_pids(server: Running) -> list[int]:
    return [pid for title, pid in sorted(server.processes().items()) if title != "manager"]


def begin(server: Running, pace: Pace) -> list[Sender]:
    firsts = range(0, CLIENTS * TASKS_A_CLIENT, TASKS_A_CLIENT)
    senders = [Sender(server, range(first, first + TASKS_A_CLIENT), pace) for first in firsts]
    for sender in senders:
        sender.start()
    return senders


def check_all_done(server: Running, senders: list[Sender]) -> None:
    done = Counter(number for (number,) in server.notes("done"))
    missing = set(range(CLIENTS * TASKS_A_CLIENT)) - set(done)
    assert not missing, f"{len(missing)} never done, such as {sorted(missing)[:5]}"
    sent = sum((sender.sent for sender in senders), Counter())
    assert server.notes("task_error") == []
    assert server.spill_files() == []
    print(f"sent {sum(sent.values())} times, done {sum(done.values())} times")


def new_seed() -> random.Random:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"CHAOS_SEED={seed}")
    return random.Random(seed)


pytestmark = pytest.mark.long
PROGRAMS = pytest.mark.parametrize("program", [numbers, async_numbers], ids=["one by one", "coroutines"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", [IpcMode.SOCKET, IpcMode.QUEUE], ids=["socket", "queue"])
@PROGRAMS
def test_every_task_is_done_although_workers_of_both_kinds_die_all_the_time(
    tmp_path: Path, mode: IpcMode, program: Callable[[Server], None]
) -> None:
    chance = new_seed()
    settings = {**SETTINGS, "task_enable_coroutine": program is async_numbers, "task_ipc_mode": mode}
    with running(program, tmp_path, **settings) as server:
        pace = Pace(AT_ONCE / TASKS_A_CLIENT)
        senders = begin(server, pace)

        kill_at_random(server, chance, pace)

        for sender in senders:
            sender.join(60)
        assert [len(sender.unsaid) for sender in senders] == [0] * CLIENTS
        last = wait_until(lambda: stats(server), "a quiet moment", 60)
        check_all_done(server, senders)
        assert last is not None
        # one that was killed after it took a task and before it counted it makes a difference of one
        finished = last["tasks_done"] + last["tasks_failed"] + last["tasks_lost"]
        assert last["tasks_failed"] == last["tasks_lost"] == 0
        assert abs(last["tasks_submitted"] - finished) <= KILLS
        assert finished >= CLIENTS * TASKS_A_CLIENT
        assert len(server.log("child died")) >= KILLS - 2  # two may have hit one process


@pytest.mark.timeout(240)
@PROGRAMS
def test_every_task_is_done_although_the_whole_server_dies_again_and_again(
    tmp_path: Path, program: Callable[[Server], None]
) -> None:
    chance = new_seed()
    key = chance.randrange(1, 2**31)
    settings: dict[str, Any] = {**SETTINGS, "task_ipc_mode": IpcMode.QUEUE, "message_queue_key": key}
    settings["task_enable_coroutine"] = program is async_numbers
    port = free_port()
    senders: list[Sender] = []
    for life in range(6):
        with running(program, tmp_path, port=port, **settings) as server:
            senders = senders or begin(server, Pace(1.0))
            for sender in senders:
                sender._server = server
            if life < 5:
                threading.Event().wait(chance.uniform(0.1, 1.0))
                server.kill_all()
                continue
            for sender in senders:
                sender.join(60)
            assert [len(sender.unsaid) for sender in senders] == [0] * CLIENTS
            wait_until(lambda: stats(server), "a quiet moment", 60)
            check_all_done(server, senders)
    assert queue_of(key) is None
