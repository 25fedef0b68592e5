"""The database is away for a moment while a shard goes to a network: it is waited for, and nothing comes into doubt."""

import threading

import pytest
from sqlalchemy.exc import OperationalError

from app.campaigns.finish import close_shard
from app.domain.orders import Outcome
from app.sending import books
from app.sending.feed import Feed
from app.store import accounts, ledger, messages, opt_outs, rejects, shards
from app.store.database import writing
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check
from tests.integration.app.network import Network
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
