"""The demo provider, running in this process; accounts at it, and what the product does with them."""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from app.config import Config
from app.domain.orders import ShardOrder, ShardReport
from app.gateways.base import Network
from app.gateways.networks import load_networks
from app.receiving.receiver import receive
from app.sending.shard import send_shard
from app.store.campaigns import Campaign
from examples.provider import Provider
from examples.provider_core import Core, Options
from tests.waiting import until

SID = "AC" + "0" * 32
WITHIN_S = 60.0


class Running:
    """A provider on loopback, in a thread of its own."""

    def __init__(self, log: Path, account: str, options: Options, tls: ssl.SSLContext | None) -> None:
        self.log = log
        self.core = Core(log, options, account)
        self.port = 0
        self._provider = Provider(self.core)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._provider.start(tls=tls), self._loop).result(WITHIN_S)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._provider.stop(), self._loop).result(WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN_S)
        self._loop.close()

    def stop_listening(self) -> None:
        """Nobody can connect any more."""
        asyncio.run_coroutine_threadsafe(self._provider.stop(), self._loop).result(WITHIN_S)

    @property
    def connections(self) -> int:
        """How many were made."""
        return self._provider.connected

    def set(self, **options: object) -> None:
        for name, value in options.items():
            self.core.options = self.core.options.changed(name, str(value))

    @property
    def lines(self) -> list[list[str]]:
        """Of its log, as far as they are whole: time, account, number, id, reference, text."""
        return [each.split("\t") for each in self.log.read_text("utf-8").rpartition("\n")[0].splitlines()]

    @property
    def taken(self) -> Counter[str]:
        """How often it took a message for each number."""
        return Counter(number for _, _, number, taken, *_ in self.lines if taken)


@contextmanager
def provider(
    tmp_path: Path, account: str, *, options: Options | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Running]:
    running = Running(tmp_path / "provider.log", account, options or Options(receipts_after=0), tls)
    try:
        yield running
    finally:
        running.stop()


def network(tmp_path: Path, monkeypatch, text: str) -> Network:
    """The account `net` of a gateways file with this text."""
    monkeypatch.setenv("NET_SECRET", "secret")
    path = tmp_path / "gateways.toml"
    path.write_text(f'[net]\nsecret_env = "NET_SECRET"\n{text}', encoding="utf-8")
    return load_networks(Config(sms_gateways=path))["net"]


def send(database: Engine, logs: Path, campaign: Campaign, network: Network, *, slice_s: float = 60.0) -> ShardReport:
    """What a task does with a shard of it."""
    return send_shard(
        database,
        logs,
        ShardOrder(campaign.id, 0),
        slice_s=slice_s,
        should_stop=lambda: False,
        on_progress=lambda: None,
        on_rejected=lambda _: None,
        networks={network.name: network},
    )


def receive_until(database: Engine, network: Network, holds) -> None:
    """Run the gateway's receiver until this holds."""

    async def run() -> None:
        task = asyncio.create_task(receive(database, network))
        try:
            await asyncio.to_thread(until, holds, within_s=WITHIN_S)
            assert not task.done() or task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
