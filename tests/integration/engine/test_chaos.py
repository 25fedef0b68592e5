"""Thousands of numbered tasks while task workers die at random moments."""

import os
import random
import signal
import struct
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from engine import Server
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.workshop import FRAMES, asdict

TASKS_A_CLIENT = 3000
CLIENTS = 2
AT_ONCE = 50
"""Tasks that a client has under way."""
KILL_FOR_S = 4.0
BODIES = [b"", b"small", b"x" * 5_000, b"y" * 20_000]
"""The last one travels in a file, and so does its result."""


def numbers(server: Server) -> None:
    """A frame is number u32 and a body; the answer is the number, once its task is done. `stats` notes the stats."""
    asked_by: dict[int, int] = {}

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        if frame[4:] == b"stats":
            note("stats", asdict(server.stats()))
        else:
            asked_by[server.task(frame[4:])] = fd

    @server.on("task")
    def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
        (number,) = struct.unpack_from(">I", data)
        if number % 50 == 0:
            time.sleep(0.003)  # a long one now and then
        note("done", number)
        return data

    @server.on("finish")
    def finish(server: Server, task_id: int, data: bytes) -> None:
        server.send(asked_by.pop(task_id), data[:4])

    @server.on("task_error")
    def task_error(server: Server, task_id: int, error: Exception) -> None:
        note("task_error", task_id, str(error))


class Sender(threading.Thread):
    """A client that keeps AT_ONCE numbers under way until all are answered; connects again when it must."""

    def __init__(self, server: Running, numbers: range) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.unanswered = set(numbers)
        self.answers: Counter[int] = Counter()

    def run(self) -> None:
        while self.unanswered:
            try:
                self._send_all()
            except OSError:
                continue

    def _send_all(self) -> None:
        with self._server.client() as client:
            to_send = sorted(self.unanswered, reverse=True)
            under_way: set[int] = set()
            while self.unanswered:
                while to_send and len(under_way) < AT_ONCE:
                    under_way.add(to_send[-1])
                    client.send(struct.pack(">I", to_send[-1]) + BODIES[to_send.pop() % len(BODIES)])
                answer = client.read(4)
                if len(answer) < 4:
                    return
                (number,) = struct.unpack(">I", answer)
                self.answers[number] += 1
                self.unanswered.discard(number)
                under_way.discard(number)


def stats(server: Running) -> dict[str, Any]:
    before = len(server.notes("stats"))
    with server.client() as client:
        client.send(b"stats")
        return dict(server.wait_for_notes("stats", before + 1)[-1][0])


def kill_at_random(server: Running, chance: random.Random, senders: list[Sender]) -> int:
    """Kill task workers while the senders are busy; how many."""
    killed = 0
    until = time.monotonic() + KILL_FOR_S
    while time.monotonic() < until and any(sender.is_alive() for sender in senders):
        title = f"task worker {chance.randrange(3)}"
        pid = server.processes().get(title)
        if pid:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        threading.Event().wait(chance.uniform(0.02, 0.2))
    return killed


def test_every_task_is_done_although_task_workers_die_all_the_time(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"CHAOS_SEED={seed}")
    with running(numbers, tmp_path, worker_num=2, task_worker_num=3, task_max_attempts=255, **FRAMES) as server:
        senders = [
            Sender(server, range(first * TASKS_A_CLIENT, (first + 1) * TASKS_A_CLIENT)) for first in range(CLIENTS)
        ]
        for sender in senders:
            sender.start()

        killed = kill_at_random(server, random.Random(seed), senders)

        for sender in senders:
            sender.join(40)  # a worker that died twice in a row is away for a while
        assert [len(sender.unanswered) for sender in senders] == [0] * CLIENTS
        done = Counter(number for (number,) in server.notes("done"))
        assert set(done) == set(range(CLIENTS * TASKS_A_CLIENT))
        assert server.notes("task_error") == []
        assert max(max(sender.answers.values()) for sender in senders) == 1, "an answer came twice"
        wait_until(lambda: stats(server)["tasks_running"] == 0, "a quiet moment")
        last = stats(server)
        assert last["tasks_submitted"] == last["tasks_done"] == CLIENTS * TASKS_A_CLIENT
        assert (last["tasks_waiting"], last["tasks_failed"], last["tasks_lost"]) == (0, 0, 0)
        assert len(server.log("child died")) == killed > 0
        assert server.spill_files() == []
        print(
            f"killed {killed}, delivered again {last['tasks_redelivered']}, done twice {sum(done.values()) - len(done)}"
        )
