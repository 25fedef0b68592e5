"""The database is away for a moment while a shard goes to a network: it is waited for, and nothing comes into doubt."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.campaigns.drain import GatewayState, put
from app.campaigns.finish import close_shard
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.domain.traffic import labelled
from app.gateways.base import Answer
from app.sending import books
from app.sending.feed import Feed
from app.sending.underway import Underway
from app.store import accounts, gateway_totals, ledger, messages, opt_outs, rejects, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import SIZE, send

LOST, READ_ONLY = 2013, 1290


@pytest.mark.parametrize("number", [LOST, READ_ONLY])
@pytest.mark.parametrize(
    ("where", "name"),
    [(accounts, "reserve"), (Feed, "next"), (shards, "get"), (messages, "insert"), (ledger, "is_to_be_sent")],
    ids=["the rate", "the customers", "the shard", "the ledger", "the campaign"],
)
def test_whatever_is_asked_for_while_the_database_is_away_is_asked_for_again(
    sqlite, logs, monkeypatch, where, name, number
):
    monkeypatch.setattr("app.store.faults.TRY_FOR_S", 0.05)
    monkeypatch.setattr("app.sending.books.LOOK_EVERY_S", 0.01)
    usual, failed = getattr(where, name), []

    def fail_twice(*given: object, **named: object) -> object:
        if threading.current_thread() is not threading.main_thread() and len(failed) < 2:  # the shard is claimed
            failed.append(name)
            raise OperationalError("", {}, Exception(number, "away"))
        return usual(*given, **named)

    monkeypatch.setattr(where, name, fail_twice)
    move_in(sqlite, crowd(400))
    campaign, network = trigger(sqlite, "a", SIZE, gateway="net"), Network(rate=2_000)

    outcome = send(sqlite, logs, campaign, network)

    assert len(failed) == 2
    assert outcome is Outcome.COMPLETE
    shard = check(sqlite, campaign)
    assert (shard.tally.accepted, shard.tally.unknown) == (400, 0)
    assert max(network.numbers.values()) == 1


class LostCommit:
    """The commit of the intent of that number, counted from 1, gets through, and its answer does not; then comes
    `meanwhile`, which is told of the chunk."""

    def __init__(self, monkeypatch, number, meanwhile):
        self.noted = []
        self._chunks, self._left, self._meanwhile = [], number, meanwhile
        self._usual = books.write, ledger.intend, books.note
        monkeypatch.setattr(books, "write", self._write)
        monkeypatch.setattr(ledger, "intend", self._intend)
        monkeypatch.setattr(books, "note", self._note)

    def _intend(self, connection, hold, chunk):
        self._chunks.append(chunk)
        return self._usual[1](connection, hold, chunk)

    def _note(self, connection, campaign_id, turn):
        self.noted.append(turn)
        self._usual[2](connection, campaign_id, turn)

    def _write(self, database, unit):
        self._chunks.clear()
        result = self._usual[0](database, unit)
        if self._chunks:
            self._left -= 1
            if self._left == 0:
                self._meanwhile(self._chunks[0])
                raise OperationalError("", {}, Exception(LOST, "away"))
        return result


def full(number, each):
    return Answer(each.token, Delivery.RETRY, error="full")


def numbers_of(ids):
    return [13800000000 + each for each in ids]


@pytest.mark.parametrize("number", [1, 3], ids=["alone", "with the record of another"])
def test_who_is_intended_by_a_commit_without_an_answer_stays_so_whoever_opts_out_or_in_since(
    sqlite, logs, monkeypatch, number
):
    monkeypatch.setattr("app.sending.ledger.LARGEST_CHUNK", 50)
    move_in(sqlite, crowd(400))
    out, since = [7, 107], []
    with writing(sqlite) as connection:
        opt_outs.add(connection, "-", numbers_of(out), "person")

    def change_their_minds(chunk):
        since.append(chunk.ids[0])
        with writing(sqlite) as connection:
            opt_outs.add(connection, "-", numbers_of(since), "person")
            opt_outs.remove(connection, "-", numbers_of(out))

    lost = LostCommit(monkeypatch, number, change_their_minds)
    campaign, network = trigger(sqlite, "a", SIZE, gateway="net"), Network()

    assert send(sqlite, logs, campaign, network) is Outcome.COMPLETE

    shard = check(sqlite, campaign)
    with sqlite.connect() as connection:
        rejected = [each.customer_id for each in rejects.between(connection, campaign.id, 0, 0, SIZE)]
    assert since == [(number - 1) * 50 + 1]
    assert rejected == out[: 1 if number == 1 else 2]
    assert (shard.tally.accepted, shard.tally.unknown, shard.tally.submitting) == (400 - len(rejected), 0, 0)
    assert set(network.numbers) == set(numbers_of(range(1, 401))) - set(numbers_of(rejected))
    assert set(network.numbers.values()) == {1}
    assert len(lost.noted) == 8, "what was noted of heirs is noted again"
    assert close_shard(sqlite, campaign.id, 0)


@pytest.mark.parametrize("what", ["a record", "an intent that got through"])
def test_nothing_leaves_after_a_drain_that_saw_no_session_whatever_the_host_was_about_to_write(
    sqlite, logs, monkeypatch, what
):
    monkeypatch.setattr("app.sending.ledger.LARGEST_CHUNK", 50)
    database = sqlite.execution_options(lease_s=1.5)
    move_in(database, crowd(100))
    campaign, away = trigger(database, "a", SIZE, gateway="net"), threading.Event()
    # Both chunks there are. The first one fills the window until the lease is over, so that the second one waits.
    network = Network(window=50, answer_timeout_s=2.0, fate=lambda number, each: None)
    if what == "a record":  # a second after the intent
        usual_record = ledger.record
        monkeypatch.setattr(ledger, "record", lambda *given, **named: away.set() or usual_record(*given, **named))
    else:
        network.answer_timeout_s = 1.2
        LostCommit(monkeypatch, 2, lambda chunk: away.set())
    usual = books.write

    def write(on, unit):
        def unless_away(connection):
            result = unit(connection)
            if away.is_set():
                raise OperationalError("", {}, Exception(LOST, "away"))
            return result

        return usual(on, unless_away)

    monkeypatch.setattr(books, "write", write)
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(send, database, logs, campaign, network)
        assert away.wait(30)
        drained = put(database, "net", GatewayState.DRAINED)
        left = len(network.log)
        monkeypatch.setattr(away, "is_set", lambda: False)
        outcome = sending.result(60)

    assert (drained.sessions, outcome) == (0, Outcome.HALTED)
    assert network.log[left:] == []
    assert {row.state for row in rows_of(database, campaign)[50:]} == {Delivery.RETRY}
    put(database, "net", GatewayState.ACTIVE)
    network.fate = taken
    assert send(sqlite, logs, campaign, network) is Outcome.COMPLETE
    assert set(network.numbers.values()) == {1}


def test_nobody_submits_for_longer_than_the_session_is_seen(sqlite, logs, monkeypatch):
    monkeypatch.setattr("app.sending.ledger.LARGEST_CHUNK", 20)
    monkeypatch.setattr("app.sending.books.LOOK_EVERY_S", 0.1)
    database = sqlite.execution_options(lease_s=4.5)  # nobody is held up for as long, and so the shard stays ours
    move_in(database, crowd(1000))
    campaign, left = trigger(database, "a", SIZE, gateway="net"), []
    usual = books.Books._extend

    def extend(self, asked_at):
        usual(self, asked_at)
        with database.connect() as connection:
            seen_for_s = connection.execute(sa.select(tables.binds.c.lease_until_ms)).scalar_one() / 1000 - time.time()
        left.append(seen_for_s - (self._submitter.deadline - time.clock_gettime(time.CLOCK_BOOTTIME)))

    monkeypatch.setattr(books.Books, "_extend", extend)

    # It takes 2.5 s at least, and a lease is renewed after 1.5.
    assert send(database, logs, campaign, Network(window=10, rate=400)) is Outcome.COMPLETE

    assert len(left) > 2
    assert all(each > books.LEASE_MARGIN_S - 0.01 for each in left[1:])  # the first one is before anything is fed


@pytest.mark.parametrize("opted_out", [[3], range(1, 11)], ids=["one", "all"])
def test_who_is_tried_again_by_a_commit_without_an_answer_is_submitted_though_others_opted_out(
    sqlite, logs, monkeypatch, opted_out
):
    move_in(sqlite, crowd(10))
    campaign, network = trigger(sqlite, "a", SIZE, gateway="net"), Network(fate=full)
    monkeypatch.setattr("app.domain.delivery.FIRST_PAUSE_S", 0.0)
    assert send(sqlite, logs, campaign, network, should_stop=lambda: len(network.log) >= 10) is Outcome.STOPPED
    assert check(sqlite, campaign).tally.retry == 10
    with writing(sqlite) as connection:
        opt_outs.add(connection, "-", numbers_of(opted_out), "person")
    network.fate, usual, again = taken, ledger.settle, []

    def settle(*given, **named):
        again.append(given)
        return usual(*given, **named)

    monkeypatch.setattr(ledger, "settle", settle)
    usual_write = books.write

    def write(database, unit):
        result = usual_write(database, unit)
        if len(again) == 1:
            again.append(())
            raise OperationalError("", {}, Exception(LOST, "away"))
        return result

    monkeypatch.setattr(books, "write", write)

    assert send(sqlite, logs, campaign, network) is Outcome.COMPLETE

    tally = check(sqlite, campaign).tally
    assert (tally.accepted, tally.refused, tally.unknown) == (10 - len(opted_out), len(opted_out), 0)


@pytest.mark.parametrize("what", ["settle", "look"])
def test_what_is_beside_is_counted_once_though_the_answer_to_a_commit_is_lost(sqlite, logs, monkeypatch, what):
    usual, lost = books.write, []

    def lose_the_answer(database, unit):
        found = usual(database, unit)
        if unit.__name__ == what and not lost:
            lost.append(unit)
            raise OperationalError("", {}, Exception(LOST, "away"))
        return found

    uncounted, given = Underway.uncounted, []

    def with_a_mark(underway):
        given.append(underway)
        return uncounted(underway) + Counter({"marks:": 1})

    monkeypatch.setattr(books, "write", lose_the_answer)
    monkeypatch.setattr(Underway, "uncounted", with_a_mark)
    move_in(sqlite, crowd(600))
    campaign, network = trigger(sqlite, "a", SIZE, gateway="net"), Network(answer_timeout_s=3.0)
    network.fate = lambda number, each: None if each.token == 7 else taken(number, each)

    assert send(sqlite, logs, campaign, network) is Outcome.COMPLETE

    assert lost
    with sqlite.connect() as connection:
        totals = gateway_totals.all_of_them(connection)["net"]
    assert totals["marks:"] == len(given)
    assert dict(labelled("submissions", totals)) == {"accepted": 599, "unknown": 1}
