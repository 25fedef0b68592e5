"""Three hosts that send two campaigns: a worker on each, a server on two of them, and a message centre."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kombu import Connection, Queue

from app.domain.orders import ShardOrder
from app.gateways.log_file.folder import owner_of
from app.runners import orders
from app.runners.base import ANY_FOLDER
from app.runners.celery import TASKS, app, queue_of
from tests.acceptance.fleet import CeleryWorker
from tests.acceptance.hub import served_hosts
from tests.acceptance.network_sender import Sender
from tests.clocks import Clock, compiled
from tests.hosts import PROVIDER, Host
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.smpp.smsc import running
from tests.rabbit import Broker

LEASE_S, SLICE_S = 3, 2
SHARDS, PROCESSES = 4, 4
"""Of each campaign, and of each worker: two hosts have one for every shard, so that none waits for its turn."""
BINDS = 8
BRAKE_S = 0.4
"""So long a page of a log takes until the brake is released, that something is going on all the time."""
PAGES_A_SECOND = SHARDS / BRAKE_S
SOURCE = "106900000"
"""And the number of the host: by its sender each message shows where it came from."""
RATE = 300
"""Messages a second, once the brake is released."""
SLOWLY = """
import copy
import os
import time
from app.gateways.log_file.journal import LogFile
from app.sending import journal, ledger

deliver, of_account = LogFile.deliver, ledger.of_account

def is_released():
    return os.path.exists(os.environ["BRAKE_RELEASED"])

def of_account_slowly(database, network):
    if not is_released():
        network = copy.copy(network)
        network.rate = {rate}
    return of_account(database, network)

def brake():
    if not is_released():
        time.sleep({brake_s} / 2)

def deliver_slowly(self, text):
    brake()
    position = deliver(self, text)
    brake()
    return position

LogFile.deliver = deliver_slowly
ledger.of_account = of_account_slowly
journal.PAGE_ROWS = {page_rows}
from celery.__main__ import main
main()
"""


class HostServer(Sender):
    """One on a host."""

    def __init__(self, host: Host, url: str, home: Path, settings: dict[str, object]) -> None:
        home.mkdir()
        super().__init__(url, home, host_id=host.word, **settings)
        self.prefix = host.prefix
        self._host = host

    def ask(self, body: bytes | str) -> str:
        with self._host.entered():
            return super().ask(body)


class HostWorker(CeleryWorker):
    """One on a host."""

    processes = PROCESSES
    ready_within_s = 180.0

    def __init__(self, host: Host, environment: dict[str, str], folder: Path, program: Sequence[str]) -> None:
        super().__init__(host.word, environment, folder)
        self.prefix = host.prefix
        self.program = program


class Machine:
    """A host with what runs on it."""

    def __init__(self, host: Host, worker: CeleryWorker, server: HostServer | None, clock: Clock) -> None:
        self.host = host
        self.name = host.word
        self.worker = worker
        self.server = server
        self.clock = clock

    def start(self) -> None:
        """Until all of it is ready."""
        if self.server:
            self.server.start()
        self.worker.start()

    def kill(self) -> None:
        """All of it, as when the power goes."""
        self.host.kill()
        self.worker.kill()
        if self.server and self.server.server:
            self.server.wait_until_gone()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """As when a virtual machine is moved."""
        self.host.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.host.signal(signal.SIGCONT)


class ThreeHosts:
    """`machines`, the first two with a server."""

    def __init__(self, machines: Sequence[Machine], broker: Broker, released: Path) -> None:
        self.machines = machines
        self.broker = broker
        self._released = released

    @property
    def servers(self) -> list[HostServer]:
        return [each.server for each in self.machines if each.server]

    @property
    def server(self) -> HostServer:
        """For what any of them does."""
        return self.servers[0]

    @property
    def log_folders(self) -> list[Path]:
        return [each.worker.logs for each in self.machines]

    def start(self) -> None:
        """All at once."""
        with ThreadPoolExecutor(len(self.machines)) as threads:
            list(threads.map(Machine.start, self.machines))

    def release(self) -> None:
        """From here on both campaigns are sent as fast as they can be."""
        self._released.touch()

    def queues(self) -> list[Queue]:
        """All that an order may be in."""
        return [queue_of(each) for each in ("", ANY_FOLDER, *map(owner_of, self.log_folders))]

    def purge(self) -> int:
        """Remove what waits in every queue; how many there were."""
        found = 0
        with Connection(self.broker.url) as connection:
            for each in self.queues():
                with suppress(connection.channel_errors):  # a worker is about to make it
                    found += int(each.bind(connection.channel()).purge() or 0)
        return found

    def post(self, campaign_id: int, times: int, folder: str = "") -> None:
        """The order for each of its shards so many times; `folder`: see `queue_of`."""
        with Connection(self.broker.url) as connection:
            for number in range(SHARDS):
                text = orders.write(ShardOrder(campaign_id, number))
                for _ in range(times):
                    app.send_task(TASKS[ShardOrder], [text], queue=queue_of(folder), connection=connection)


@contextmanager
def three_hosts(folder: Path, customers: int, lasts_s: float) -> Iterator[ThreeHosts]:
    """Everything runs, and nothing is sent; until the brake is released that would take longer than `lasts_s`. Raises
    NoHosts, NoServer, NoCompiler."""
    library = compiled(folder)
    released = folder / "released"
    page_rows = max(1, int(customers / (lasts_s * PAGES_A_SECOND)))
    program = ("-c", SLOWLY.format(rate=customers / lasts_s, brake_s=BRAKE_S, page_rows=page_rows))
    with ExitStack() as stack:
        made, database, broker = stack.enter_context(served_hosts(3))
        url = stack.enter_context(database.schema())
        stack.enter_context(with_tables(url))
        home = folder / "centre"
        home.mkdir()
        of_centre = {"host": PROVIDER, "prefix": made.provider.prefix}
        centre = stack.enter_context(running(home, "--receipts-after", "0.3", **of_centre))
        settings: dict[str, object] = {
            "runner": "celery",
            "broker_url": broker.url,
            "lease_s": LEASE_S,
            "slice_s": SLICE_S,
            "shard_size": -(-customers // SHARDS),
        }
        workers = folder / "workers"
        workers.mkdir()
        machines = []
        for number, host in enumerate(made.all, start=1):
            clock = Clock(library, folder / f"{host.word}.clock")
            server = HostServer(host, url, folder / host.word, settings)
            server.use(centre, folder / host.word, RATE, binds=BINDS, source=f"{SOURCE}{number}")
            server.environment |= {**clock.environment, "BRAKE_RELEASED": str(released)}
            if number < 3:
                stack.enter_context(server)
            worker = HostWorker(host, server.environment, workers, program)
            stack.callback(worker.kill)
            machines.append(Machine(host, worker, server if number < 3 else None, clock))
        fleet = ThreeHosts(machines, broker, released)
        move_in(fleet.server.database, crowd(customers))
        fleet.start()
        yield fleet
        for each in machines:
            assert "task broke down" not in each.worker.said(), each.worker.said()
