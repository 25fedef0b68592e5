"""How quickly an operator is obeyed while a campaign runs at full speed.

    python benchmarks/operations.py [--customers 2000000] [--rounds 5] [--driver pymysql]               needs Docker

Each round starts a campaign of all customers on a fresh server and, while it runs: triggers others and waits for their
answers; pauses it and watches whether its logs still grow; kills every process of the server, starts it again and waits
for the first new byte. The floor of an answer is an answer of the same server without a campaign.
"""

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import psutil
import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from benchmarks.product import seed, serving
from engine import Client

SHARD_SIZE = 500_000
TRIGGERS = 20
QUIET_S = 2.0
"""A log that does not grow for so long has stopped."""
WITHIN_S = 60.0
out = Console(width=None if sys.stdout.isatty() else 110)


def ask(port: int, request: dict[str, object]) -> float:
    """Seconds until the answer. Raises RuntimeError when it is a refusal."""
    with Client("127.0.0.1", port, timeout_s=WITHIN_S) as client:
        began = time.monotonic()
        client.send(json.dumps(request))
        answer = json.loads(client.read_line())
        took_s = time.monotonic() - began
    if not answer.get("ok", True):
        raise RuntimeError(str(answer))
    return took_s


def written(logs: Path) -> int:
    """Bytes of messages so far."""
    return sum(each.stat().st_size for each in logs.glob("task_*.log"))


def wait_until(condition: Callable[[], bool]) -> float:
    """When it came true (monotonic)."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WITHIN_S:g} s")
        time.sleep(0.002)
    return time.monotonic()


def seconds_to_silence(logs: Path) -> float:
    """From now to the last growth of any log; 0 when they are silent already."""
    began = grew_at = time.monotonic()
    size = written(logs)
    while time.monotonic() - grew_at < QUIET_S:
        time.sleep(0.005)
        if (now := written(logs)) != size:
            size, grew_at = now, time.monotonic()
    return grew_at - began


def one_round(url: str, name: str, found: dict[str, list[float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, name)
        with serving(url, Path(folder), SHARD_SIZE) as (server, port):
            found["answer, idle"] += [ask(port, {"campaign": f"idle-{name}", "template": "{name}"})]
            ask(port, {"cancel": f"idle-{name}"})
            ask(port, {"campaign": name})
            wait_until(lambda: written(logs) > 0)
            for number in range(TRIGGERS):
                other = f"{name}-{number}"
                found["answer, under load"].append(ask(port, {"campaign": other}))
                ask(port, {"cancel": other})
            found["pause: answer"].append(ask(port, {"pause": name}))
            found["pause: growth after the answer"].append(seconds_to_silence(logs))
            ask(port, {"resume": name})
            size = written(logs)
            wait_until(lambda: written(logs) > size)
            kill(server)
        size = written(logs)
        began = time.monotonic()
        with serving(url, Path(folder), SHARD_SIZE):
            found["restart: first new byte"].append(wait_until(lambda: written(logs) > size) - began)


def kill(server: psutil.Process) -> None:
    """kill -9 of every process."""
    for each in [server, *server.children(recursive=True)]:
        each.send_signal(signal.SIGKILL)


def main(customers: int = 2_000_000, rounds: int = 5, driver: str = "pymysql") -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    found: dict[str, list[float]] = defaultdict(list)
    with mysql.throw_away() as database:
        seed(database, "customers", customers)
        for number in range(rounds):
            one_round(database.url(driver, "customers"), f"round-{number}", found)
    table = Table("", "median", "longest", "times")
    for what, seconds in found.items():
        table.add_row(
            what, f"{statistics.median(seconds) * 1000:.0f} ms", f"{max(seconds) * 1000:.0f} ms", str(len(seconds))
        )
    out.print(f"{customers:,} customers, {driver}", table)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
