"""A campaign over a network is finished when nothing waits to be sent, and settled when no receipt can change it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.campaigns.snapshot import snapshot
from app.campaigns.start import dispatch
from app.domain.campaign import Verb
from app.domain.delivery import Delivery
from app.store import campaigns, receipts
from app.store.database import writing
from app.store.tables import campaigns as table
from app.store.tables import early_receipts
from tests.integration.app.campaigns import trigger
from tests.integration.app.network import Network
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import apply, receipt, recorded


def ended(database, states, verb=Verb.FINISH, ago=timedelta(0)):
    """A campaign that is over since then."""
    move_in(database, crowd(len(states)))
    campaign = recorded(database, "a", states)
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, verb)
        connection.execute(table.update().values(finished_at=datetime.now(UTC) - ago))
    return campaign


@pytest.mark.parametrize("verb", [Verb.FINISH, Verb.CANCEL])
@pytest.mark.parametrize("waiting", [Delivery.ACCEPTED, Delivery.UNKNOWN, Delivery.SUBMITTING])
def test_it_is_not_settled_while_a_receipt_may_come_and_is_so_when_the_time_is_over(sqlite, waiting, verb):
    ended(sqlite, [Delivery.REFUSED, waiting], verb)
    assert not snapshot(sqlite, "a").is_settled

    with writing(sqlite) as connection:
        connection.execute(table.update().values(finished_at=datetime.now(UTC) - timedelta(hours=72, seconds=1)))

    assert snapshot(sqlite, "a").is_settled


def test_its_last_receipt_settles_it_at_once(sqlite):
    ended(sqlite, [Delivery.REFUSED, Delivery.ACCEPTED])

    apply(sqlite, receipt(2))

    assert snapshot(sqlite, "a").is_settled


def test_a_running_one_is_never_settled_and_one_to_logs_when_it_is_over(sqlite):
    move_in(sqlite, crowd(2))
    recorded(sqlite, "a", [Delivery.REFUSED] * 2)
    campaign = trigger(sqlite, "b", 10)
    assert not snapshot(sqlite, "a").is_settled and not snapshot(sqlite, "b").is_settled

    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.CANCEL)

    assert snapshot(sqlite, "b").is_settled


@pytest.mark.parametrize("receipts_for_s", [0, 3600])
def test_the_time_for_receipts_is_what_the_gateway_says_when_it_is_triggered(sqlite, receipts_for_s):
    move_in(sqlite, crowd(2))
    network = Network(receipts_for_s=receipts_for_s)

    made = dispatch(sqlite, "a", 10, template="{name}", gateway="net", networks={"net": network}).campaign

    assert made.receipts_for_s == receipts_for_s


def test_status_and_report_tell_a_settled_one_from_one_that_learns_yet(app, sqlite):
    ended(sqlite, [Delivery.ACCEPTED, Delivery.UNKNOWN])

    learning, report = app("status", "a").out, app("report", "a").out
    facts, summary = json.loads(app("status", "a", "--json").out), json.loads(app("report", "a", "--json").out)

    assert "finished" in learning and "2 messages wait for their receipts, until " in learning
    assert "2 messages wait for their receipts, until " in report
    assert (facts["state"], facts["settled"], summary["settled"]) == ("finished", False, False)
    assert datetime.fromisoformat(facts["learns_until"]) > datetime.now(UTC) + timedelta(hours=71)

    apply(sqlite, receipt(1))
    with writing(sqlite) as connection:
        connection.execute(table.update().values(receipts_for_s=0))

    settled, facts = app("status", "a").out, json.loads(app("status", "a", "--json").out)
    assert "settled" in settled and "wait for their" not in settled
    assert (facts["state"], facts["settled"]) == ("finished", True)
    assert json.loads(app("report", "a", "--json").out)["settled"]


@pytest.mark.parametrize(("kept_for", "left"), [(timedelta(hours=1), 0), (timedelta(hours=3), 1)])
def test_receipts_that_nobody_asked_for_are_kept_as_long(sqlite, kept_for, left):
    apply(sqlite, receipt(1, at=datetime.now(UTC) - timedelta(hours=2)))

    with writing(sqlite) as connection:
        receipts.apply_early(connection, "net", kept_for=kept_for)

    with sqlite.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(early_receipts)).scalar() == left
