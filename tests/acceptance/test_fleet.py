"""A campaign on Celery workers of two hosts: whatever dies, nobody gets a message twice, and nobody is forgotten."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.campaign import State
from app.domain.delivery import Delivery
from app.domain.orders import ShardOrder
from tests.acceptance.fleet import LEASE_S, WITHIN_S, Fleet, fleet
from tests.acceptance.network_sender import ANSWER_WITHIN_S, IN_GOOD_ORDER_S, Sender
from tests.integration.app.campaigns import with_tables
from tests.rabbit import Broker
from tests.waiting import until

CUSTOMERS = 4_000
RATE = 400
NAME = "spring"
SHARDS = 4
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.timeout(480)]


@pytest.fixture
def patience_s() -> tuple[int, int]:
    """How long a lease lasts, and how long an answer may take."""
    return LEASE_S, ANSWER_WITHIN_S


@pytest.fixture
def two_hosts(mysql_url: str, tmp_path: Path, broker: Broker, patience_s: tuple[int, int]) -> Iterator[Fleet]:
    lease_s, answer_within_s = patience_s
    of = (mysql_url, tmp_path, broker, CUSTOMERS, RATE)
    with with_tables(mysql_url), fleet(*of, lease_s=lease_s, answer_within_s=answer_within_s) as two_hosts:
        yield two_hosts


@pytest.mark.parametrize("patience_s", [(IN_GOOD_ORDER_S, IN_GOOD_ORDER_S)])  # nobody is taken for dead
def test_a_campaign_goes_out_by_two_hosts_and_a_pause_and_a_stop_leave_nothing_in_doubt(two_hosts: Fleet) -> None:
    sender = two_hosts.sender
    sender.begin(NAME)
    sender.wait_for_submissions(CUSTOMERS // 4, WITHIN_S)
    paused = sender.run("pause", NAME)
    until(lambda: not sender.counts()[Delivery.SUBMITTING], what="nothing is under way")
    paused_at = len(sender.numbers())
    assert (paused.returncode, sender.counts()[Delivery.UNKNOWN]) == (0, 0)
    assert sender.run("resume", NAME).returncode == 0
    sender.wait_for_submissions(paused_at + CUSTOMERS // 8, WITHIN_S)
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
    sender.wait_for_submissions(200, WITHIN_S)
    one.pool()[0].kill()
    sender.wait_for_submissions(600, WITHIN_S)
    one.kill()
    for number in range(SHARDS):
        two_hosts.post(ShardOrder(1, number), times=50)
    sender.wait_for_submissions(1_000, WITHIN_S)
    two_hosts.purge()
    sender.wait_for_submissions(1_400, WITHIN_S)
    two_hosts.broker.kill()
    two_hosts.broker.wipe()
    sender.counts()
    one.start_without_broker()
    two_hosts.broker.start()
    sender.wait_for_submissions(2_200, WITHIN_S)
    sender.kill_everything()
    sender.start()
    other.pool()[0].kill()

    assert sender.wait_until_over(NAME) == State.FINISHED

    counts = two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS)
    print(f"counts {dict(+counts)}")


@pytest.mark.parametrize("patience_s", [(3 * LEASE_S, ANSWER_WITHIN_S)])  # who only waits for its turn is not dead
def test_a_host_that_stands_still_loses_its_shards_and_another_server_takes_over_from_one_that_dies(
    two_hosts: Fleet, patience_s: tuple[int, int], mysql_url: str, tmp_path: Path
) -> None:
    lease_s, _ = patience_s
    sender, (one, other) = two_hosts.sender, two_hosts.workers
    home = tmp_path / "standby"
    home.mkdir()
    with Sender(mysql_url, home) as standby:
        of_sender = {name: value for name, value in sender.environment.items() if name not in {"SMS_PORT", "TMPDIR"}}
        standby.environment |= of_sender | {"SMS_LOG_DIR": str(standby.logs)}
        standby.start()
        sender.begin(NAME)
        sender.wait_for_submissions(200, WITHIN_S)
        other.stop()
        held = until(two_hosts.epochs, what="a shard is in hand")
        one.signal(signal.SIGSTOP)
        other.start()
        took_s = two_hosts.wait_for_takeover(held)
        one.signal(signal.SIGCONT)
        sender.wait_for_submissions(1_200, WITHIN_S)
        assert "this server gives out the orders now" not in standby.said()
        sender.kill_everything()
        began = time.monotonic()
        until(lambda: "this server gives out the orders now" in standby.said(), within_s=lease_s + WITHIN_S)
        stood_in_s = time.monotonic() - began

        assert sender.wait_until_over(NAME) == State.FINISHED

        counts = two_hosts.assert_nobody_twice_and_all_add_up(CUSTOMERS)
        sender.start()  # it stands by now, and stops in good order
    print(f"shard {took_s:.1f} s, scheduler {stood_in_s:.1f} s, lease {lease_s} s, {dict(+counts)}")
