"""How long a campaign takes, and what memory, beside four command-line clients that write the same bytes.

    python benchmarks/campaign.py [--customers 2000000] [--rounds 3]       needs Docker; about four minutes

Each round runs the floor, then a campaign with each driver. Times are medians over the rounds, from the trigger to
the last byte. Memory is the highest sum of proportional set sizes of all our processes, sampled every 0.1 s in runs of
their own, for looking costs time.
"""

import hashlib
import importlib.util
import json
import os
import socket
import statistics
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
import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from engine import Client

SMALL = 200_000
"""The second size that memory is measured at."""
out = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign: seconds, peak memory of all processes in bytes (0 unless measured), seconds until the answer."""

    seconds: float
    pss: int
    answer_s: float
    digests: list[str]


def run_campaign(url: str, name: str, customers: int, *, with_meter: bool = False) -> Run:
    """A fresh server, one campaign in as many shards as the floor has clients, the server stopped."""
    with tempfile.TemporaryDirectory() as folder, serving(url, Path(folder), customers) as (server, port):
        meter = Meter(server)
        with Client("127.0.0.1", port, timeout_s=600) as client, meter if with_meter else nullcontext():
            began = time.monotonic()
            client.send(json.dumps({"campaign": name, "watch": True}))
            answer = json.loads(client.read_line())
            answered = time.monotonic()
            state = answer["state"]
            while state == "running":
                state = json.loads(client.read_line())["state"]
            seconds = time.monotonic() - began
        if state != "finished":
            raise RuntimeError(f"campaign {name} ended {state}")
        logs = [Path(folder, name, f"task_{task}.log") for task in answer["tasks"]]
        digests = [hashlib.sha256(log.read_bytes()).hexdigest() for log in logs]
    return Run(seconds, meter.peak, answered - began, digests)


@contextmanager
def serving(url: str, folder: Path, customers: int) -> Iterator[tuple[psutil.Process, int]]:
    """A server on a free port, its log in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "DATABASE_URL": url,
        "SMS_PORT": str(port),
        "SMS_LOG_DIR": str(folder),
        "SMS_SHARD_SIZE": str(shard_size(customers)),
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
        self.peak = 0
        self._root = root
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._measure)

    def _measure(self) -> None:
        while not self._done.wait(0.1):
            family = [self._root, *self._root.children(recursive=True)]
            self.peak = max(self.peak, sum(each.memory_full_info().pss for each in family))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def shard_size(customers: int) -> int:
    """One shard for each of the floor's clients."""
    return -(-customers // mysql.CLIENTS)


def seed(database: mysql.Database, schema: str, customers: int) -> None:
    database.make_schema(schema)
    settings = {"DATABASE_URL": database.url("pymysql", schema)}
    subprocess.run([sys.executable, "-m", "seed", "--customers", str(customers)], env=os.environ | settings, check=True)


def main(customers: int = 2_000_000, rounds: int = 3) -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    drivers = ["pymysql"] + (["mysqldb"] if importlib.util.find_spec("MySQLdb") else [])
    floors: list[float] = []
    runs: dict[str, list[Run]] = {driver: [] for driver in drivers}
    with mysql.throw_away() as database:
        seed(database, "large", customers)
        seed(database, "small", SMALL)
        for round_number in range(rounds):
            floors.append(database.floor("large", shard_size(customers)))
            for driver in drivers:
                run = run_campaign(database.url(driver, "large"), f"{driver}-{round_number}", customers)
                runs[driver].append(run)
                if run.digests != database.floor_digests():
                    raise RuntimeError(f"the logs of {driver} differ from the floor's")
        memory = {
            (driver, schema): run_campaign(database.url(driver, schema), f"{driver}-memory", size, with_meter=True).pss
            for driver in drivers
            for schema, size in (("large", customers), ("small", SMALL))
        }
    show(customers, floors, runs, memory)


def show(customers: int, floors: list[float], runs: dict[str, list[Run]], memory: dict[tuple[str, str], int]) -> None:
    """The table, and what it was measured on."""
    floor = statistics.median(floors)
    table = Table("", "seconds", "x floor", "messages/s", "trigger answered", "memory", f"memory at {SMALL:,}")
    table.add_row("floor: four mysql clients", f"{floor:.2f}", "1.00", f"{customers / floor:,.0f}", "", "", "")
    for driver, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        table.add_row(
            {"pymysql": "PyMySQL", "mysqldb": "mysqlclient"}[driver],
            f"{seconds:.2f}",
            f"{statistics.median(run.seconds / base for run, base in zip(found, floors, strict=True)):.2f}",
            f"{customers / seconds:,.0f}",
            f"{max(run.answer_s for run in found) * 1000:.0f} ms",
            f"{memory[driver, 'large'] / 2**20:.0f} MiB",
            f"{memory[driver, 'small'] / 2**20:.0f} MiB",
        )
    out.print(f"{customers:,} customers, {len(floors)} rounds; logs byte for byte those of the floor", table)
    if "mysqldb" not in runs:
        out.print("mysqlclient is not installed and was not measured: pip install -e .[fast]")
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
