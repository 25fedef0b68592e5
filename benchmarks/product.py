"""The product under measurement: a real server on a real database, campaigns through its trigger, its memory."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import mysql
from engine import Client


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign: seconds, peak memory of all processes in bytes (0 unless measured), seconds until the answer; of
    these seconds what came before the first message, and the peak of the largest process."""

    seconds: float
    pss: int
    answer_s: float
    digests: list[str]
    preparing_s: float = 0.0
    largest_pss: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One campaign, from its trigger: seconds to its end, to the answer and to the first message; its tasks."""

    seconds: float
    answer_s: float
    preparing_s: float
    tasks: list[int]


def run_campaign(
    url: str, name: str, shard_size: int, *, with_meter: bool = False, allow_duplicates: bool = False
) -> Run:
    """A fresh server, one campaign, the server stopped."""
    with tempfile.TemporaryDirectory() as folder, serving(url, Path(folder), shard_size) as (server, port):
        meter = Meter(server)
        with meter if with_meter else nullcontext():
            sent = send_campaign(port, name, allow_duplicates=allow_duplicates)
        logs = [Path(folder, name, f"task_{task}.log") for task in sent.tasks]
        digests = [hashlib.sha256(log.read_bytes()).hexdigest() for log in logs]
    return Run(sent.seconds, meter.peak, sent.answer_s, digests, sent.preparing_s, meter.largest)


def send_campaign(port: int, name: str, *, allow_duplicates: bool = False) -> Sent:
    """Trigger it on the server that listens there, and watch it to its end."""
    with Client("127.0.0.1", port, timeout_s=600) as client:
        began = time.monotonic()
        client.send(json.dumps({"campaign": name, "watch": True, "allow_duplicates": allow_duplicates}))
        answer = json.loads(client.read_line())
        answered = time.monotonic()
        state, preparing_s = answer["state"], 0.0
        while state == "running":
            facts = json.loads(client.read_line())
            state = facts["state"]
            if not facts["preparing"] and not preparing_s:
                preparing_s = time.monotonic() - began
        seconds = time.monotonic() - began
    if state != "finished":
        raise RuntimeError(f"campaign {name} ended {state}")
    return Sent(seconds, answered - began, preparing_s, answer["tasks"])


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(url: str, folder: Path, shard_size: int, **more: str) -> Iterator[tuple[psutil.Process, int]]:
    """A server on a free port, its log in `folder`; `more` settings."""
    port = free_port()
    settings = more | {
        "DATABASE_URL": url,
        "SMS_PORT": str(port),
        "SMS_LOG_DIR": str(folder),
        "SMS_SHARD_SIZE": str(shard_size),
    }
    log = folder / "server.log"
    with log.open("w") as stderr:
        server = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=os.environ | settings, stderr=stderr)
    try:
        deadline = time.monotonic() + 30
        while "server ready" not in log.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait(timeout=30)


class Meter:
    """Peak memory of a process and its children while the block runs, in a thread of the benchmark's own."""

    def __init__(self, root: psutil.Process) -> None:
        self.peak = self.largest = 0
        self._root = root
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._measure)

    def _measure(self) -> None:
        while not self._done.wait(0.1):
            family = [self._root, *self._root.children(recursive=True)]
            each_has = [each.memory_full_info().pss for each in family]
            self.peak = max(self.peak, sum(each_has))
            self.largest = max(self.largest, *each_has)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def seed(database: mysql.Database, schema: str, customers: int) -> None:
    database.make_schema(schema)
    settings = {"DATABASE_URL": database.url("pymysql", schema)}
    subprocess.run([sys.executable, "-m", "seed", "--customers", str(customers)], env=os.environ | settings, check=True)
