"""A campaign over a message centre: whatever happens, nobody gets a message twice by us, and nobody is forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.campaigns.drain import GatewayState, put
from app.domain.campaign import State
from app.domain.delivery import Delivery
from app.store.tables import opt_outs
from tests.acceptance.network_sender import GATEWAY, IN_GOOD_ORDER_S, Sender, sending
from tests.integration.app.campaigns import with_tables
from tests.waiting import until

CUSTOMERS = 4_000
RATE = 1_000
CALM_RATE = 300
"""So slow that the last one is not written to before an opt-out is on record, however busy the machine is."""
DRAINED_CUSTOMERS, DRAINED_RATE = 1_000, 100
"""So slow that there is something left to be drained."""
NAME = "spring"
EVERYBODY = {13800000000 + number for number in range(1, CUSTOMERS + 1)}
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.timeout(300)]


@pytest.fixture
def calm(mysql_url: str, tmp_path: Path) -> Iterator[Sender]:
    """One whose answers may take their time."""
    of = (mysql_url, tmp_path, CUSTOMERS, CALM_RATE)
    with with_tables(mysql_url), sending(*of, answer_within_s=IN_GOOD_ORDER_S) as sender:
        yield sender


@pytest.fixture
def sender(mysql_url: str, tmp_path: Path) -> Iterator[Sender]:
    with with_tables(mysql_url), sending(mysql_url, tmp_path, CUSTOMERS, RATE) as sender:
        yield sender


def test_a_pause_a_restart_and_a_reply_in_the_middle_leave_nothing_in_doubt(calm: Sender) -> None:
    sender = calm
    sender.begin(NAME)
    sender.wait_for_submissions(300)
    sender.centre.say(f"reply 86138{CUSTOMERS:08} 10690000 TD")
    until(lambda: has_opted_out(sender), what="the reply is an opt-out")
    assert sender.run("pause", NAME).returncode == 0
    until(lambda: not sender.counts()[Delivery.SUBMITTING], what="nothing is under way")
    paused_at = sender.numbers()
    assert sender.run("resume", NAME).returncode == 0
    sender.wait_for_submissions(len(paused_at) + 300)
    assert sender.stop() == 0
    assert sender.counts()[Delivery.UNKNOWN] == 0
    sender.start()

    assert sender.wait_until_over(NAME) == State.FINISHED

    counts = sender.settled(CUSTOMERS, within_s=90)
    numbers = sender.numbers()
    assert {*numbers} == EVERYBODY - {13800000000 + CUSTOMERS}
    assert max(numbers.values()) == 1
    assert +counts == {Delivery.DELIVERED: CUSTOMERS - 1, "rejected": 1}


def test_a_server_and_a_centre_that_are_killed_leave_doubt_that_the_receipts_settle(sender: Sender) -> None:
    sender.begin(NAME)
    sender.wait_for_submissions(500)
    sender.centre.kill()
    sender.centre.start()
    sender.wait_for_submissions(1_500)
    sender.kill_everything()
    sender.start()

    assert sender.wait_until_over(NAME) == State.FINISHED

    counts = sender.settled(CUSTOMERS, within_s=90)
    numbers = sender.numbers()
    assert max(numbers.values()) == 1
    assert counts[Delivery.DELIVERED] + counts[Delivery.UNKNOWN] == CUSTOMERS
    assert counts[Delivery.UNKNOWN] == CUSTOMERS - len(sender.promised())


def test_a_gateway_that_is_drained_in_the_middle_submits_nothing_until_it_is_activated(
    mysql_url: str, tmp_path: Path
) -> None:
    of = (mysql_url, tmp_path, DRAINED_CUSTOMERS, DRAINED_RATE)
    with with_tables(mysql_url), sending(*of, answer_within_s=IN_GOOD_ORDER_S) as sender:
        sender.begin(NAME)
        sender.wait_for_submissions(100)
        put(sender.database, GATEWAY, GatewayState.DRAINED)
        until(lambda: not sender.counts()[Delivery.SUBMITTING], what="nothing is under way")
        drained_at = sender.numbers()
        refused = sender.run("gateways", "test", GATEWAY, "--to", "13800000001", "--yes")
        said = sender.run("status", NAME)
        assert (refused.returncode, "drained since" in refused.stderr, "drained since" in said.stdout) == (
            1,
            True,
            True,
        )
        assert (sender.state(NAME), sender.numbers()) == (State.RUNNING, drained_at)
        assert len(drained_at) < DRAINED_CUSTOMERS

        assert sender.run("gateways", "activate", GATEWAY).returncode == 0

        assert sender.wait_until_over(NAME) == State.FINISHED
        counts = sender.settled(DRAINED_CUSTOMERS, within_s=90)
        assert +counts == {Delivery.DELIVERED: DRAINED_CUSTOMERS}
        assert max(sender.numbers().values()) == 1


def has_opted_out(sender: Sender) -> bool:
    with sender.database.connect() as connection:
        return bool(connection.execute(sa.select(opt_outs.c.mobile)).first())
