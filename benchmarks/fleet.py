"""What Celery and its broker cost: beside the engine with as many processes, and for each slice.

    python benchmarks/fleet.py [--customers 2000000] [--rounds 3] [--processes 4]       needs Docker and RabbitMQ

Each round sends one campaign to logs with the server's own task workers, and one with a Celery worker of as many
processes beside a server that only orders; both logs are byte for byte the same. Times are from the trigger to the
news that it is over, processor time is that of all our processes and of the broker; ratios are medians of each
round's. Then a worker is given orders of which nothing is to be done, one after the other as it can take them: what
processor time they take is what a slice costs beside its work.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.domain.orders import ShardOrder
from app.runners import orders
from app.runners.celery import Publisher
from app.runners.celery import app as celery
from app.store.database import open_database
from app.store.tables import reports
from benchmarks import machine, mysql
from benchmarks.product import seed, send_campaign, serving
from tests.rabbit import Broker, rabbit

WITHIN_S = 120.0
SLICE_S = 20
"""The default of SMS_SLICE_S."""
out = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True, slots=True)
class Sent:
    """A campaign: seconds, processor seconds without the database's, and the digest of each log."""

    seconds: float
    cpu_s: float
    logs: list[str]


@dataclass(frozen=True, slots=True)
class Slices:
    """Processor seconds for each order, of the worker's processes and of the broker; and how many there were."""

    worker_s: float
    broker_s: float
    count: int


def main(customers: int = 2_000_000, rounds: int = 3, processes: int = 4, empty_orders: int = 2_000) -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    engine: list[Sent] = []
    fleet: list[Sent] = []
    shard_size = -(-customers // processes)
    with mysql.throw_away() as database, rabbit() as broker:
        seed(database, "customers", customers)
        url = database.url("pymysql", "customers")
        for number in range(rounds):
            engine.append(by_engine(url, f"engine-{number}", shard_size, processes))
            fleet.append(by_fleet(url, f"fleet-{number}", shard_size, processes, broker))
            if engine[-1].logs != fleet[-1].logs:
                raise RuntimeError("the logs of the two differ")
        slices = per_slice(url, broker, empty_orders)
    show(customers, processes, engine, fleet, slices)


def by_engine(url: str, name: str, shard_size: int, processes: int) -> Sent:
    """With the server's own task workers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(url, Path(folder), shard_size, SMS_TASK_WORKER_NUM=str(processes)) as (server, port),
    ):
        return send(port, name, Path(folder), [server])


def by_fleet(url: str, name: str, shard_size: int, processes: int, broker: Broker) -> Sent:
    """With a Celery worker."""
    settings = {"SMS_RUNNER": "celery", "SMS_BROKER_URL": broker.url}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(url, Path(folder), shard_size, **settings) as (server, port),
        working(url, Path(folder, "worker"), broker, processes) as worker,
    ):
        return send(port, name, Path(folder, "worker"), [server, worker, server_of(broker)])


def send(port: int, name: str, logs: Path, ours: list[psutil.Process]) -> Sent:
    """One campaign, by these processes."""
    before_s = sum(map(cpu_s, ours))
    sent = send_campaign(port, name, allow_duplicates=True)
    return Sent(sent.seconds, sum(map(cpu_s, ours)) - before_s, digests(logs / name))


def digests(folder: Path) -> list[str]:
    """Of the logs of messages in it, by name."""
    logs = sorted(each for each in folder.glob("task_*.log") if "rejects" not in each.name)
    return [hashlib.sha256(each.read_bytes()).hexdigest() for each in logs]


@contextmanager
def working(url: str, folder: Path, broker: Broker, processes: int) -> Iterator[psutil.Process]:
    """A Celery worker with so many processes, its logs in `folder`."""
    settings = {"DATABASE_URL": url, "SMS_BROKER_URL": broker.url, "SMS_LOG_DIR": str(folder), "SMS_HOST_ID": "bench"}
    command = ["-m", "celery", "-A", "app.runners.celery", "worker", "-Q", "sms.shards", "-c", str(processes)]
    said = folder.with_suffix(".said")
    with said.open("w") as log:
        worker = subprocess.Popen([sys.executable, *command], env=os.environ | settings, stdout=log, stderr=log)
    try:
        wait_until(lambda: " ready." in said.read_text() or worker.poll() is not None)
        if worker.poll() is not None:
            raise RuntimeError(f"the worker did not start: {said.read_text()[-500:]}")
        yield psutil.Process(worker.pid)
    finally:
        worker.terminate()
        worker.wait(timeout=WITHIN_S)


def per_slice(url: str, broker: Broker, count: int) -> Slices:
    """With orders for a campaign that is not there: an order is carried, looked up, and reported."""
    celery.conf.broker_url = broker.url
    publish, order, database = Publisher(), ShardOrder(2**31 - 1, 0), open_database(url)

    def reported() -> int:
        with database.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(reports)).scalar_one())

    with tempfile.TemporaryDirectory() as folder, working(url, Path(folder, "worker"), broker, 1) as worker:
        before = reported()
        publish(order, orders.write(order), "")  # what only the first one costs
        wait_until(lambda: reported() > before)
        worker_s, broker_s = cpu_s(worker), cpu_s(server_of(broker))
        for _ in range(count):
            publish(order, orders.write(order), "")
        wait_until(lambda: reported() > before + count)
        found = Slices((cpu_s(worker) - worker_s) / count, (cpu_s(server_of(broker)) - broker_s) / count, count)
    publish.close()
    database.dispose()
    return found


def server_of(broker: Broker) -> psutil.Process:
    """Its process, which has its port."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == broker.port and each.pid:
            return psutil.Process(each.pid)
    raise RuntimeError("nobody listens at the broker's port")


def cpu_s(process: psutil.Process) -> float:
    """Of it and all its children, also those that are gone."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WITHIN_S:g} s")
        time.sleep(0.02)


def show(customers: int, processes: int, engine: list[Sent], fleet: list[Sent], slices: Slices) -> None:
    """Both tables, and what they were measured on."""
    table = Table("", "seconds", "x engine", "processor s", "x engine", "messages/s")
    for what, found in (("engine", engine), ("Celery", fleet)):
        pairs = list(zip(found, engine, strict=True))
        took_s = statistics.median(each.seconds for each in found)
        table.add_row(
            f"{what}, {processes} processes",
            f"{took_s:.2f}",
            f"{statistics.median(each.seconds / base.seconds for each, base in pairs):.2f}",
            f"{statistics.median(each.cpu_s for each in found):.2f}",
            f"{statistics.median(each.cpu_s / base.cpu_s for each, base in pairs):.2f}",
            f"{customers / took_s:,.0f}",
        )
    out.print(f"{customers:,} customers to logs, {len(engine)} rounds; the logs are the same", table)
    costs = Table("", "processor ms an order", f"of a slice of {SLICE_S} s")
    for what, cost_s in (("Celery worker, with its database", slices.worker_s), ("RabbitMQ", slices.broker_s)):
        costs.add_row(what, f"{cost_s * 1000:.2f}", f"{cost_s / SLICE_S:.3%}")
    out.print(f"{slices.count:,} orders of which nothing is to be done, one process", costs)
    load = os.getloadavg()
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}, load {load[0]:.1f}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
