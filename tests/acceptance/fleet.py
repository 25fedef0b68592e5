"""The server with Celery workers and a broker beside it, and the demo message centre, whose log is the judge."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from kombu import Connection

from app.runners import orders
from app.runners.orders import Order
from app.store import shards
from tests.acceptance.network_sender import ANSWER_WITHIN_S, Sender, sending
from tests.integration.app.serving import ROOT
from tests.rabbit import Broker
from tests.waiting import until

WORKER_READY = "ready."
WITHIN_S = 60.0
LEASE_S = 3


class CeleryWorker:
    """`celery worker`, as on a host of its own."""

    program: Sequence[str] = ("-m", "celery")
    prefix: Sequence[str] = ()
    """See Product."""
    processes = 2
    ready_within_s = WITHIN_S

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.logs = folder / name
        self._environment = {**environment, "SMS_HOST_ID": name, "SMS_LOG_DIR": str(self.logs)}
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Wait until it takes orders."""
        before = self.said().count(WORKER_READY)
        self.start_without_broker()
        until(
            lambda: self.said().count(WORKER_READY) > before, within_s=self.ready_within_s, what=f"{self.name} is ready"
        )

    def start_without_broker(self) -> None:
        """It will take orders once there is one."""
        program = [*self.prefix, sys.executable, *self.program]
        command = [*program, "-A", "app.runners.celery", "worker", "-Q", "sms.shards"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *command,
                    "-c",
                    str(self.processes),
                    "-E",
                    "-n",
                    f"{self.name}@%h",
                    "--without-gossip",
                    "--without-mingle",
                ],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def pool(self) -> list[psutil.Process]:
        """The processes that carry orders out."""
        assert self._process
        return psutil.Process(self._process.pid).children()

    def stop(self) -> int:
        """SIGTERM to the first process alone; its status."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WITHIN_S)

    def signal(self, number: int) -> None:
        """To all of it at once, as when a host stands still."""
        assert self._process
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """`kill -9` of all of it."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(WITHIN_S)


class Fleet:
    """`sender` is the server; `workers` are on two hosts, as they see it."""

    def __init__(self, sender: Sender, broker: Broker, workers: list[CeleryWorker]) -> None:
        self.sender = sender
        self.broker = broker
        self.workers = workers

    def post(self, order: Order, times: int) -> None:
        """As somebody might who found an old message."""
        from app.runners.celery import TASKS, app

        with Connection(self.broker.url) as connection:
            for _ in range(times):
                app.send_task(TASKS[type(order)], [orders.write(order)], queue="sms.shards", connection=connection)

    def epochs(self) -> dict[int, int]:
        """Of each shard that somebody has in hand: who has it under which one."""
        with self.sender.database.connect() as connection:
            return {each.number: each.epoch for each in shards.of_campaign(connection, 1) if each.is_held}

    def wait_for_takeover(self, before: dict[int, int]) -> float:
        """Until somebody else has one of these shards; how long that took."""
        began = time.monotonic()

        def is_taken() -> bool:
            now = self.epochs()
            return any(now.get(number, 0) > epoch for number, epoch in before.items())

        until(is_taken, within_s=WITHIN_S, what="a shard is taken over")
        return time.monotonic() - began

    def purge(self) -> int:
        """Remove what waits in the queue; how many there were."""
        with Connection(self.broker.url) as connection:
            return int(connection.default_channel.queue_purge("sms.shards") or 0)

    def assert_nobody_twice_and_all_add_up(self, customers: int) -> Counter[str]:
        """See Sender."""
        return self.sender.assert_nobody_twice_and_all_add_up(customers)


@contextmanager
def fleet(
    url: str,
    folder: Path,
    broker: Broker,
    customers: int,
    rate: int,
    *,
    lease_s: int = LEASE_S,
    answer_within_s: int = ANSWER_WITHIN_S,
) -> Iterator[Fleet]:
    """Everything runs, and nothing is sent."""
    settings = {"runner": "celery", "broker_url": broker.url, "lease_s": lease_s, "slice_s": 2}
    with ExitStack() as stack:
        sender = stack.enter_context(sending(url, folder, customers, rate, answer_within_s=answer_within_s, **settings))
        workers = [CeleryWorker(name, sender.environment, folder) for name in ("w1", "w2")]
        for each in workers:
            stack.callback(each.kill)
            each.start()
        yield Fleet(sender, broker, workers)
        for each in workers:
            assert "task broke down" not in each.said(), each.said()
