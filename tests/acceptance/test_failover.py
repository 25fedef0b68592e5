"""The database's primary dies in the middle of a campaign, and its replica is promoted: it goes on by itself, nobody
gets a message twice, and what is in doubt is listed."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain.campaign import State
from app.domain.delivery import Delivery
from app.store.tables import binds
from tests.acceptance.fleet import LEASE_S, WITHIN_S, CeleryWorker, fleet
from tests.acceptance.network_sender import BINDS, Sender, sending
from tests.conftest import missing
from tests.databases import NoServer
from tests.integration.app.campaigns import with_tables
from tests.integration.app.test_shared_rate import is_calm
from tests.proxy import Proxy, proxied
from tests.rabbit import Broker
from tests.replicas import Pair, pair
from tests.waiting import until

CUSTOMERS = 6_000
RATE = 400
CHUNK = RATE // 2 // BINDS
IN_DOUBT = 2 * CHUNK * BINDS
"""At most: two chunks for each task in hand."""
GOES_ON_WITHIN_S = 10.0
NAME = "spring"
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.docker, pytest.mark.timeout(480)]


class Address:
    """`url` leads to the primary, and can be moved."""

    def __init__(self, url: str, proxy: Proxy, servers: Pair) -> None:
        self.url = url
        self._proxy = proxy
        self._servers = servers

    def lose_primary(self, *, silently: bool) -> None:
        """`kill -9`; `silently`: nobody says to who is connected that it is gone, and who comes gets no answer."""
        if silently:
            self._proxy.swallow()
        self._servers.primary.kill()

    def cut(self) -> None:
        """Hang up on all who are connected, until it is moved."""
        self._proxy.cut()

    def move(self) -> None:
        """To the replica."""
        replica = self._servers.replica.server.admin
        assert replica.host and replica.port
        self._proxy.move(replica.host, replica.port)
        self._proxy.mend()

    def promote(self) -> float:
        """The replica is the primary; the moment of that (time.monotonic)."""
        self._servers.promote()
        return time.monotonic()


@pytest.fixture
def servers() -> Iterator[Pair]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(pair())
        except NoServer as reason:
            missing(str(reason))
        yield made


@pytest.fixture
def schema(servers: Pair) -> Iterator[str]:
    """Its address at the primary."""
    with servers.schema() as url, with_tables(url):
        yield url


@pytest.fixture
def address(servers: Pair, schema: str) -> Iterator[Address]:
    with proxied(schema) as (url, proxy):
        yield Address(url, proxy, servers)


@pytest.fixture
def side_way(servers: Pair, schema: str) -> Iterator[Address]:
    """The address as hosts know it that nobody told of a promotion."""
    with proxied(schema) as (url, proxy):
        yield Address(url, proxy, servers)


def goes_on(sender: Sender, promoted_at: float) -> float:
    """Seconds from then until more was submitted than can have been under way."""
    before, was_calm = len(sender.numbers()), is_calm()
    until(lambda: len(sender.numbers()) > before + IN_DOUBT, within_s=WITHIN_S, what="the campaign goes on")
    took_s = time.monotonic() - promoted_at
    assert took_s <= GOES_ON_WITHIN_S or not (was_calm and is_calm())
    return took_s


def fail_over(sender: Sender, address: Address, said: Callable[[], str], *, silently: bool) -> None:
    """In the middle of the campaign. The address is moved before the replica may be written to."""
    sender.wait_for_submissions(1_000, WITHIN_S)
    examined = sender.run("doctor").stdout
    assert "a commit is answered once a replica has it (replicas: 1)" in examined, examined
    address.lose_primary(silently=silently)
    address.move()
    sender.database.dispose()  # this test's own have the patience of a person
    until(lambda: said().count("1290") > 20, within_s=WITHIN_S, what="all have tried to write")
    took_s = goes_on(sender, address.promote())
    counts = sender.counts()
    print(f"went on after {took_s:.1f} s, {dict(+counts)}")

    assert counts[Delivery.UNKNOWN] <= IN_DOUBT
    assert sender.wait_until_over(NAME) == State.FINISHED
    assert "Traceback" not in said(), said()


@pytest.mark.parametrize("silently", [False, True], ids=["hangs up", "vanishes"])
def test_the_server_goes_on_within_ten_seconds_of_a_promotion_and_nobody_gets_two_messages(
    address: Address, tmp_path: Path, silently: bool
) -> None:
    with sending(address.url, tmp_path, CUSTOMERS, RATE) as sender:
        sender.begin(NAME)

        fail_over(sender, address, sender.said, silently=silently)

        sender.assert_nobody_twice_and_all_add_up(CUSTOMERS)


def test_celery_workers_and_their_scheduler_go_on_within_ten_seconds_of_a_promotion(
    address: Address, tmp_path: Path, broker: Broker
) -> None:
    with fleet(address.url, tmp_path, broker, CUSTOMERS, RATE) as two_hosts:
        sender = two_hosts.sender
        sender.begin(NAME)

        def said() -> str:
            return "".join([sender.said(), *(each.said() for each in two_hosts.workers)])

        fail_over(sender, address, said, silently=True)

        two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS)


def has_a_session(worker: CeleryWorker, sender: Sender) -> bool:
    """Whether it sends, by the database of the others."""
    its = {each.pid for each in worker.pool()}
    with sender.database.connect() as connection:
        holders = connection.scalars(sa.select(binds.c.holder).where(binds.c.lease_until_ms > 0)).all()
    return any(int(each.split(":")[1]) in its for each in holders)


def wait_for_silence(sender: Sender) -> int:
    """Until nothing was submitted for longer than a lease; how much was, by then."""
    seen, since = -1, time.monotonic()

    def is_silent() -> bool:
        nonlocal seen, since
        now = len(sender.numbers())
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() > since + LEASE_S + 1

    until(is_silent, within_s=WITHIN_S, what="nobody submits any more")
    return seen


@pytest.mark.skipif(not int(os.environ.get("CHAOS_ROUNDS", "0")), reason="takes a minute: make chaos-fleet")
def test_who_is_left_with_a_primary_that_is_cut_off_submits_nothing_more_and_nobody_gets_two_messages(
    servers: Pair, address: Address, side_way: Address, tmp_path: Path, broker: Broker
) -> None:
    """The primary lives, and a worker reaches it, while the replica is promoted for all others."""
    with fleet(address.url, tmp_path, broker, CUSTOMERS, RATE) as two_hosts:
        sender, (_, other) = two_hosts.sender, two_hosts.workers
        other.kill()  # so that half of the sessions are left for who is left behind
        left = CeleryWorker("left", {**sender.environment, "DATABASE_URL": side_way.url}, tmp_path)
        try:
            left.start()
            sender.begin(NAME)
            sender.wait_for_submissions(600, WITHIN_S)
            until(lambda: has_a_session(left, sender), within_s=WITHIN_S, what="who is to be left behind sends")

            servers.cut_off()
            address.cut()
            address.move()
            sender.database.dispose()
            before = wait_for_silence(sender)
            until(servers.unanswered, within_s=WITHIN_S, what="a commit waits for a replica")
            took_s = goes_on(sender, address.promote())
            sender.wait_for_submissions(before + 1_000, WITHIN_S)
            stale = servers.unanswered()
            side_way.move()  # whoever is connected to the old primary stays so until it gives that up
            until(lambda: has_a_session(left, sender), within_s=WITHIN_S, what="who was left behind sends again")
            print(f"went on after {took_s:.1f} s, {stale} commits waited at the old primary, {dict(+sender.counts())}")

            assert stale
            assert sender.wait_until_over(NAME) == State.FINISHED
            two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS)
            assert servers.unanswered(), "the old primary has answered"
            assert "task broke down" not in left.said(), left.said()
        finally:
            left.kill()
