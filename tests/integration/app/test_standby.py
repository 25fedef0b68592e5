"""Of servers that share their workers one gives out the orders; those that a broker does not take come back."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.domain.orders import Outcome, ShardOrder, ShardReport
from app.runners import fleet as module
from app.runners import orders, scheduler
from app.runners.base import ANY_FOLDER
from app.runners.fleet import BrokerRunner, SharedWorkers
from app.runners.orders import Order
from app.runners.scheduler import Scheduler
from app.store import hosts, reports, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import crowd, move_in

WITHIN_S = 60.0
FAR_MS = 2**50
"""A moment that does not come."""


class Server:
    """One that shares its workers with others."""

    def __init__(self, database: sa.Engine, name: str) -> None:
        self.posted: list[tuple[Order, str]] = []
        self.is_away = False
        runner = BrokerRunner(database, self.publish)
        self.scheduler = runner.scheduler = Scheduler(
            database,
            Path("nowhere"),
            name,
            task_workers=1,
            slice_s=0.0,
            runner=runner,
            fleet=SharedWorkers(database, name),
            sweep_every_s=0.01,
            changed=lambda _: None,
            is_stopping=lambda: False,
        )

    def publish(self, order: Order, text: str, folder: str) -> None:
        if self.is_away:
            raise ConnectionError("refused")
        assert orders.read_order(text) == order
        self.posted.append((order, folder))

    def numbers(self) -> list[int]:
        return [order.number for order, _ in self.posted if isinstance(order, ShardOrder)]


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(WITHIN_S):
            await scene()

    asyncio.run(within())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@pytest.fixture
def campaign(sqlite):
    move_in(sqlite, crowd(20))
    return trigger(sqlite, "a", 10)


def are_alive(connection: sa.Connection) -> None:
    """All processes that said so once, for as long as the test takes."""
    connection.execute(tables.hosts.update().values(seen_ms=FAR_MS))


def lease(database: sa.Engine) -> str | None:
    with database.connect() as connection:
        return connection.execute(sa.select(tables.leases.c.holder).where(tables.leases.c.name == "scheduler")).scalar()


def test_one_server_gives_out_and_another_one_takes_over_once_its_lease_is_over(sqlite, campaign):
    async def scene():
        one, other = Server(sqlite, "one"), Server(sqlite, "other")
        first = asyncio.create_task(one.scheduler.run())
        await until(one.numbers)
        second = asyncio.create_task(other.scheduler.run())
        await asyncio.sleep(0.1)
        assert not other.posted
        with writing(sqlite) as connection:  # as if one had been silent for so long, and will be
            connection.execute(tables.leases.update().values(until_ms=1))
        one.scheduler._fleet.lease.take = lambda: False
        await until(lambda: set(other.numbers()) == {0, 1})
        for each in first, second:
            each.cancel()
        await asyncio.gather(first, second, return_exceptions=True)

    play(scene)


def test_a_server_that_stops_need_not_be_waited_for(sqlite, campaign):
    async def scene():
        one, other = Server(sqlite, "one"), Server(sqlite, "other")
        first = asyncio.create_task(one.scheduler.run())
        await until(one.numbers)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert lease(sqlite) is None
        second = asyncio.create_task(other.scheduler.run())
        await until(other.numbers)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)

    play(scene)


def test_what_workers_report_by_the_database_is_heard_once_and_by_who_gives_out(sqlite, campaign):
    async def scene():
        server = Server(sqlite, "one")
        running = asyncio.create_task(server.scheduler.run())
        await until(server.numbers)
        order = ShardOrder(campaign.id, server.numbers()[0])
        with writing(sqlite) as connection:
            reports.insert(connection, orders.write(ShardReport(order, Outcome.STOPPED)))
            reports.insert(connection, "of another release")
        await until(lambda: server.numbers().count(order.number) == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with sqlite.connect() as connection:
            assert reports.take(connection) == []

    play(scene)


def test_no_more_orders_are_out_than_twice_the_workers_that_are_alive(sqlite):
    move_in(sqlite, crowd(20))
    trigger(sqlite, "a", 1)
    with writing(sqlite) as connection:
        hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 3, 0)
        hosts.beat(connection, "w2", "worker:2", hosts.WORKER, 2, 1)
        hosts.beat(connection, "s1", "server:1", hosts.SERVER, 4, 0)
        are_alive(connection)
        hosts.beat(connection, "dead", "worker:9", hosts.WORKER, 50, 0)
        connection.execute(tables.hosts.update().where(tables.hosts.c.host == "dead").values(seen_ms=1))

    async def scene():
        server = Server(sqlite, "one")
        running = asyncio.create_task(server.scheduler.run())
        await until(lambda: len(server.numbers()) >= 10)
        await asyncio.sleep(0.1)
        assert len(server.numbers()) == 10
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(scene)


async def begin_without_broker(server: Server, caplog: pytest.LogCaptureFixture) -> asyncio.Task[None]:
    """It runs, and its broker is there again once it was missed."""
    server.is_away = True
    running = asyncio.create_task(server.scheduler.run())
    await until(lambda: "broker cannot be reached, trying again" in caplog.messages)
    server.is_away = False
    return running


def test_an_order_that_the_broker_does_not_take_is_given_out_again_once_it_does(sqlite, campaign, monkeypatch, caplog):
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.02)
    caplog.set_level("INFO")

    async def scene():
        server = Server(sqlite, "one")
        running = await begin_without_broker(server, caplog)
        await until(lambda: set(server.numbers()) == {0, 1})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(scene)

    assert caplog.messages.count("broker cannot be reached, trying again") == 1
    assert caplog.messages.count("broker is reached again") == 1


def test_what_a_broker_that_was_away_may_have_lost_is_given_out_anew_once_it_is_back(
    sqlite, campaign, monkeypatch, caplog
):
    monkeypatch.setattr(scheduler, "CLAIMED_WITHIN_S", 3600.0)
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.02)

    async def scene():
        server = Server(sqlite, "one")
        running = asyncio.create_task(server.scheduler.run())
        await until(lambda: sorted(server.numbers()) == [0, 1])
        server.is_away = True
        with writing(sqlite) as connection:
            reports.insert(connection, orders.write(ShardReport(ShardOrder(campaign.id, 0), Outcome.STOPPED)))
        await until(lambda: "broker cannot be reached, trying again" in caplog.messages)
        server.is_away = False
        await until(lambda: all(server.numbers().count(each) > 1 for each in (0, 1)))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(scene)


def test_what_a_broker_takes_once_it_is_back_is_given_out_once(sqlite, monkeypatch, caplog):
    monkeypatch.setattr(scheduler, "CLAIMED_WITHIN_S", 3600.0)
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.02)
    caplog.set_level("INFO")
    move_in(sqlite, crowd(60))
    trigger(sqlite, "a", 10)
    with writing(sqlite) as connection:
        hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 3, 0, "w1-folder")
        are_alive(connection)

    async def scene():
        server = Server(sqlite, "one")
        running = await begin_without_broker(server, caplog)
        await until(lambda: len(set(server.numbers())) == 6)
        sweeps = 0

        def look(self: Scheduler) -> object:
            nonlocal sweeps
            sweeps += 1
            return found(self)

        found = Scheduler._look
        monkeypatch.setattr(Scheduler, "_look", look)
        await until(lambda: sweeps == 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert sorted(server.numbers()) == [*range(6)]

    play(scene)

    assert "task did not come back, it is given out anew" not in caplog.messages


def test_a_database_that_is_away_is_not_taken_for_a_broker_that_is(sqlite, campaign, monkeypatch, caplog):
    ask = shards.folder_for

    def fail(*_: object) -> str:
        raise OperationalError("", None, Exception("gone"))

    async def scene():
        server = Server(sqlite, "one")
        monkeypatch.setattr(shards, "folder_for", fail)
        running = asyncio.create_task(server.scheduler.run())
        await until(lambda: "database cannot be read, orders wait" in caplog.messages)
        monkeypatch.setattr(shards, "folder_for", ask)
        await until(lambda: set(server.numbers()) == {0, 1})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(scene)

    assert "broker cannot be reached, trying again" not in caplog.messages


def test_a_log_goes_on_where_it_is_while_there_is_life_and_everybody_may_send_to_a_network(sqlite, campaign):
    with writing(sqlite) as connection:  # the second shard nobody has begun
        shards.claim(connection, campaign.id, 0, "w1-folder")
        is_first = tables.shards.c.number == 0
        connection.execute(tables.shards.update().where(is_first).values(lease_until_ms=FAR_MS))
    network = trigger(sqlite, "b", 100)
    with writing(sqlite) as connection:
        connection.execute(tables.campaigns.update().where(tables.campaigns.c.id == network.id).values(gateway="net"))
        hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 9, 0)
        are_alive(connection)
    change_shard(sqlite, network, owner="")

    async def scene():
        server = Server(sqlite, "one")
        running = asyncio.create_task(server.scheduler.run())
        await until(lambda: len(server.numbers()) >= 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert {(order.campaign_id, folder) for order, folder in server.posted if isinstance(order, ShardOrder)} == {
            (campaign.id, "w1-folder"),
            (campaign.id, ANY_FOLDER),
            (network.id, ""),
        }

    play(scene)


def test_a_log_campaign_that_no_worker_can_do_takes_no_places_and_is_told_of_once(sqlite, campaign, caplog):
    network = trigger(sqlite, "b", 100)

    def beat(folder: str) -> None:
        with writing(sqlite) as connection:
            hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 9, 0, folder)
            are_alive(connection)

    with writing(sqlite) as connection:
        connection.execute(tables.campaigns.update().where(tables.campaigns.c.id == network.id).values(gateway="net"))
    change_shard(sqlite, network, owner="")
    beat("")

    async def scene():
        server = Server(sqlite, "one")
        running = asyncio.create_task(server.scheduler.run())
        await until(server.numbers)
        await asyncio.sleep(0.1)
        sent = {order.campaign_id for order, _ in server.posted if isinstance(order, ShardOrder)}
        assert sent == {network.id}
        beat("w1-folder")
        await until(lambda: len(server.numbers()) == 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(scene)

    assert caplog.messages.count("no worker has a folder of logs, campaigns to logs wait") == 1
