"""The database's primary dies in the middle of a campaign, and its replica is promoted: it goes on by itself, nobody
gets a message twice, and what is in doubt is listed."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.domain.campaign import State
from app.domain.delivery import Delivery
from tests.acceptance.fleet import WITHIN_S, fleet
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
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.docker, pytest.mark.timeout(300)]


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
def address() -> Iterator[Address]:
    with ExitStack() as stack:
        try:
            servers = stack.enter_context(pair())
        except NoServer as reason:
            missing(str(reason))
        url, proxy = stack.enter_context(proxied(stack.enter_context(servers.schema())))
        stack.enter_context(with_tables(url))
        yield Address(url, proxy, servers)


def goes_on(sender: Sender, promoted_at: float) -> float:
    """Seconds from then until more was submitted than can have been under way."""
    before = len(sender.numbers())
    within_s = GOES_ON_WITHIN_S if is_calm() else WITHIN_S
    until(lambda: len(sender.numbers()) > before + IN_DOUBT, within_s=within_s, what="the campaign goes on")
    return time.monotonic() - promoted_at


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
