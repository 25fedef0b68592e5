"""The database is away for a moment while a shard goes to a network: it is waited for, and nothing comes into doubt."""

import threading

import pytest
from sqlalchemy.exc import OperationalError

from app.domain.orders import Outcome
from app.sending.feed import Feed
from app.store import accounts, ledger, messages, shards
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
