"""What went over a gateway is counted with what it counts, once, and stays."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app.campaigns.snapshot import snapshot
from app.domain.chunk import Chunk, Entry
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.domain.page import by_form
from app.domain.traffic import ANSWER_S, RECEIPT_S, histogram, labelled
from app.gateways.base import Answer
from app.sending.seat import Seat
from app.sentence import Sentence
from app.store import accounts, contacts, gateway_totals, ledger, receipts, tables
from app.store.database import writing
from app.store.pruning import DETAILS, remove_some
from tests.conftest import MYSQL
from tests.integration.app.campaigns import trigger
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import SIZE, send
from tests.integration.app.test_receipts import NOW, apply, apply_early, receipt, recorded


def counted(database, kind, gateway="net"):
    """Of one kind what there is, by label."""
    with database.connect() as connection:
        return dict(labelled(kind, gateway_totals.all_of_them(connection).get(gateway, {})))


def durations(database, kind):
    with database.connect() as connection:
        return histogram(kind, gateway_totals.all_of_them(connection)["net"])


def said(database):
    with database.connect() as connection:
        return contacts.known(connection)


def test_every_submission_is_counted_by_what_it_came_to(database, logs):
    move_in(database, crowd(600))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()

    def fate(number, each):
        if each.token == 4:
            return Answer(each.token, Delivery.REFUSED, error="no")
        if each.token == 5:
            return Answer(each.token, Delivery.RETRY, error="busy")
        if each.token == 6:
            return None
        if number == 10:
            return Answer(each.token, Delivery.RETRY, error="quick", is_throttled=True)
        return taken(number, each)

    network.fate = fate

    assert send(database, logs, campaign, network) is Outcome.LATER

    found = counted(database, "submissions")
    again = found.pop("retry")  # on a slow machine it is tried a second time
    assert found == {"accepted": 597, "refused": 1, "unknown": 1, "throttled": 1}
    assert again >= 1
    assert durations(database, ANSWER_S).count == 598 + again  # one has no answer


def test_an_answer_that_comes_after_its_chunk_went_on_record_is_counted(database, logs):
    move_in(database, crowd(600))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(answer_timeout_s=3.0)
    network.fate = lambda number, each: None if each.token == 7 else taken(number, each)

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert counted(database, "submissions") == {"accepted": 599, "unknown": 1}


def test_who_is_too_quick_is_counted_though_nothing_goes_on_record(database, logs):
    move_in(database, crowd(20))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: Answer(each.token, Delivery.RETRY, error="quick", is_throttled=True)

    send(database, logs, campaign, network, should_stop=lambda: counted(database, "submissions") != {})

    assert counted(database, "submissions")["throttled"] >= 1


def test_a_record_that_is_said_twice_is_counted_once(database):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    entries = [Entry(1, 11, 1, Delivery.ACCEPTED, datetime.now(UTC), "id")]
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)
        ledger.intend(connection, hold, Chunk(0, 20, [1], [11], [1], tally=by_form([0])))

    found = []
    for _ in range(2):
        with writing(database) as connection:
            found.append(ledger.record(connection, hold, 0, 20, entries))

    assert found == [{Delivery.ACCEPTED: 1}, {}]


def test_receipts_are_counted_by_what_they_say_and_timed_when_they_tell_something(database):
    move_in(database, crowd(10))
    recorded(database, "a", [Delivery.ACCEPTED] * 4)
    late = NOW + timedelta(seconds=6)

    began = time.monotonic()
    apply(database, receipt(1, at=late), receipt(2, Delivery.EXPIRED, at=late), receipt(1, at=late))
    asked_s = time.monotonic() - began  # by how much the database's clock may seem to be ahead

    assert counted(database, "receipts") == {"delivered": 2, "expired": 1}
    took = durations(database, RECEIPT_S)
    assert next(bound for bound, count in took.upto if count) == 10.0
    assert took.count == 2
    assert 11.9 < took.sum_s < 12.1 + 2 * asked_s
    assert 5.0 < took.quantile(0.95) <= 10.0


def test_a_receipt_of_nobody_is_counted_once_when_its_message_did_not_come(database):
    move_in(database, crowd(10))
    now = datetime.now(UTC)
    apply(database, receipt(1, at=now + timedelta(hours=1)), receipt(2, at=now - timedelta(seconds=60)))

    for _ in range(3):
        apply_early(database)

    assert counted(database, "unmatched") == {"": 1}
    recorded(database, "a", [Delivery.ACCEPTED] * 2)
    apply_early(database)
    assert counted(database, "receipts") == {"delivered": 2}


def test_a_receipt_of_nobody_is_counted_once_though_several_servers_look(database, monkeypatch):
    apply(database, receipt(1, at=datetime.now(UTC) - timedelta(seconds=60)))
    settle = receipts._settle

    def the_other_is_quicker(*given):
        given[0].execute(tables.early_receipts.update().values(counted=True))
        return settle(*given)

    monkeypatch.setattr(receipts, "_settle", the_other_is_quicker)
    apply_early(database)

    assert counted(database, "unmatched") == {}


class HourAhead(datetime):
    """The clock of a host that is wrong."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(hours=1)


@pytest.mark.parametrize("database_kind", [MYSQL], indirect=True)
def test_how_long_a_receipt_took_is_right_on_a_host_whose_clock_is_not(database, monkeypatch):
    move_in(database, crowd(10))
    recorded(database, "a", [Delivery.ACCEPTED])
    with monkeypatch.context() as there:
        there.setattr(receipts, "datetime", HourAhead)
        apply(database, receipt(1, at=HourAhead.now(UTC)))

    assert durations(database, RECEIPT_S).count == 1
    so_far = (datetime.now(UTC) - NOW).total_seconds()  # the run is as old as this module's moment
    assert durations(database, RECEIPT_S).sum_s < so_far + 600


def test_what_is_counted_of_several_seats_is_one_sum_and_outlives_the_campaign(database, logs):
    move_in(database, crowd(30))
    with writing(database) as connection:
        for seat in (0, 1, -3, 1):
            gateway_totals.add(connection, "net", seat, {"submissions:accepted": 5, "submissions:refused": 0})
    campaign = trigger(database, "a", SIZE, gateway="net")
    send(database, logs, campaign, Network())

    with writing(database) as connection:
        for detail in DETAILS:
            remove_some(connection, campaign.id, detail, -1)
        connection.execute(tables.campaigns.delete())

    assert counted(database, "submissions") == {"accepted": 50}


def test_a_gateway_that_cannot_be_reached_is_down_until_somebody_reaches_it(database, logs):
    move_in(database, crowd(30))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(is_away=True)

    assert send(database, logs, campaign, network) is Outcome.BLOCKED

    assert [(each.is_up, each.why.code) for each in said(database)] == [(False, "gateway_away")]
    assert contacts.are_up(said(database)) == {"net": False}
    with writing(database) as connection:
        contacts.tell(connection, "net", 1, is_up=True)
    assert contacts.are_up(said(database)) == {"net": True}


def test_a_gateway_that_lets_us_receive_and_not_send_is_down(database):
    with writing(database) as connection:
        contacts.tell(connection, "net", -5, is_up=True)
    assert contacts.are_up(said(database)) == {"net": True}

    with writing(database) as connection:
        contacts.tell(connection, "net", 0, is_up=False, why=Sentence("plain", text="refused"))
        contacts.tell(connection, "other", -5, is_up=False, why=Sentence("plain", text="cannot be heard"))

    assert contacts.are_up(said(database)) == {"net": False, "other": False}
    with database.connect() as connection:
        assert {name: why.facts["text"] for name, why in contacts.whys(connection).items()} == {
            "net": "refused",
            "other": "cannot be heard",
        }


def test_who_sends_says_that_the_gateway_is_there_and_stops_saying_so(database, logs):
    move_in(database, crowd(30))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: None
    seen = []

    def should_stop():
        seen.extend(said(database))
        return bool(seen)

    send(database, logs, campaign, network, should_stop=should_stop)

    assert seen[0].is_up and seen[0].seat == 0
    assert said(database) == []


@pytest.mark.parametrize("database_kind", [MYSQL, "mariadb"], indirect=True)
def test_two_who_begin_or_go_on_do_not_wait_for_each_other(database):
    def both(say):
        with database.connect() as one, database.connect() as other:
            for each in (one, other):
                each.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
                each.commit()
            say(one, "net", 0)
            say(other, "net", 1)
            one.commit()
            other.commit()

    both(partial(contacts.tell, is_up=True))
    both(contacts.leave)
    assert said(database) == []
    both(partial(contacts.tell, is_up=True))

    assert [each.seat for each in said(database)] == [0, 1]


def test_who_lost_the_seat_takes_nothing_away_of_what_its_next_one_says(database):
    def take(holder):
        with writing(database) as connection:
            slot = accounts.take_bind(connection, "net", 1, holder)
            seat = Seat("net", slot, holder)
            seat.tell(connection, None)
            return seat

    late = take("late")
    with writing(database) as connection:
        connection.execute(tables.binds.update().values(lease_until_ms=1))
    following = take("next")

    with writing(database) as connection:
        late.give_back(connection)
    assert [each.is_up for each in said(database)] == [True]

    with writing(database) as connection:
        following.give_back(connection)
    assert said(database) == []


def test_what_is_said_holds_no_longer_than_it_may(database):
    with writing(database) as connection:
        contacts.tell(connection, "away", 0, is_up=False, why=Sentence("plain", text="x" * 5000))
        contacts.tell(connection, "there", 0, is_up=True)
    assert contacts.are_up(said(database)) == {"away": False, "there": True}
    for age_ms, expected in ((11_000, {"away": False}), (91_000, {})):
        with writing(database) as connection:
            old = contacts.now_ms(connection) - age_ms
            connection.execute(contacts.contacts.update().values(seen_ms=old))
        assert contacts.are_up(said(database)) == expected


def test_a_campaign_whose_gateway_nobody_can_reach_says_so_while_it_runs(database, logs):
    move_in(database, crowd(30))
    campaign = trigger(database, "a", SIZE, gateway="net")
    assert snapshot(database, "a").held_up_by is None

    send(database, logs, campaign, Network(is_away=True))

    assert snapshot(database, "a").held_up_by == snapshot(database, "a").away
    assert snapshot(database, "a").away.code == "gateway_away"
    with writing(database) as connection:
        contacts.tell(connection, "net", 1, is_up=True)
    assert snapshot(database, "a").held_up_by is None
