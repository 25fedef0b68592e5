"""A campaign on Celery workers of two hosts: whatever dies, nobody gets a message twice, and nobody is forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.campaign import State
from app.domain.delivery import Delivery
from app.domain.orders import ShardOrder
from tests.acceptance.fleet import Fleet, fleet
from tests.integration.app.campaigns import with_tables
from tests.rabbit import Broker
from tests.waiting import until

CUSTOMERS = 4_000
RATE = 400
NAME = "spring"
SHARDS = 4
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.timeout(240)]


@pytest.fixture
def two_hosts(mysql_url: str, tmp_path: Path, broker: Broker) -> Iterator[Fleet]:
    with with_tables(mysql_url), fleet(mysql_url, tmp_path, broker, CUSTOMERS, RATE) as two_hosts:
        yield two_hosts


def test_a_campaign_goes_out_by_two_hosts_and_a_stop_leaves_nothing_in_doubt(two_hosts: Fleet) -> None:
    sender = two_hosts.sender
    sender.begin(NAME)
    sender.wait_for_submissions(CUSTOMERS // 4)
    assert [each.stop() for each in two_hosts.workers] == [0, 0]
    until(lambda: not sender.counts()[Delivery.SUBMITTING], what="nothing is under way")
    stopped_at = len(sender.numbers())
    assert sender.counts()[Delivery.UNKNOWN] == 0
    for each in two_hosts.workers:
        each.start()

    assert sender.wait_until_over(NAME) == State.FINISHED

    assert 0 < stopped_at < CUSTOMERS
    assert +two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS) == {Delivery.DELIVERED: CUSTOMERS}


def test_nobody_gets_two_messages_whatever_dies(two_hosts: Fleet) -> None:
    sender, (one, other) = two_hosts.sender, two_hosts.workers
    sender.begin(NAME)
    sender.wait_for_submissions(200)
    one.pool()[0].kill()
    sender.wait_for_submissions(600)
    one.kill()
    for number in range(SHARDS):
        two_hosts.post(ShardOrder(1, number), times=50)
    sender.wait_for_submissions(1_000)
    two_hosts.purge()
    sender.wait_for_submissions(1_400)
    two_hosts.broker.kill()
    two_hosts.broker.wipe()
    sender.counts()
    one.start_without_broker()
    two_hosts.broker.start()
    sender.wait_for_submissions(2_200)
    sender.kill_everything()
    sender.start()
    other.pool()[0].kill()

    assert sender.wait_until_over(NAME) == State.FINISHED

    counts = two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS)
    print(f"counts {dict(+counts)}")
