"""A drained gateway: nothing more is submitted over it, from anywhere, until it is activated; all else goes on."""

import asyncio
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.campaigns import drain as use_case
from app.campaigns.drain import GatewayState, put
from app.campaigns.sampling import Sampler
from app.campaigns.snapshot import snapshot
from app.domain.actor import Actor, Via
from app.domain.chunk import Chunk
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.domain.page import by_form
from app.errors import LeaseLost, NotTried, ShardTaken
from app.sending.trial import Trial
from app.store import accounts, drains, ledger, samples, shards
from app.store.database import writing
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_audit_trail import entries
from tests.integration.app.test_ledger import SIZE, send
from tests.integration.app.test_receipts import apply, receipt, recorded, states
from tests.words import refused

ADA = Actor("ada", Via.API)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits for sessions to end, unless a test says so."""
    monkeypatch.setattr(use_case, "SETTLED_WITHIN_S", 0.0)


def drain(database, gateway="net"):
    return put(database, gateway, GatewayState.DRAINED, ADA)


def activate(database, gateway="net"):
    return put(database, gateway, GatewayState.ACTIVE, ADA)


def waiting(database):
    with database.connect() as connection:
        return shards.waiting(connection, None)


def chunk_of(ids):
    return Chunk(ids[0] - 1, ids[-1], ids, [13800000000 + each for each in ids], [1] * len(ids), tally=by_form(ids))


def claimed(database, campaign):
    with writing(database) as connection:
        drains.make_sure(connection, campaign.gateway)
        return ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)[1]


def test_a_campaign_under_way_stops_within_its_chunks_and_goes_on_where_it_was(database, logs):
    move_in(database, crowd(3000))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()

    def drained_meanwhile(number, each):
        if number == 200:
            drain(database)
        return taken(number, each)

    network.fate = drained_meanwhile
    assert send(database, logs, campaign, network) is Outcome.HALTED
    submitted = len(network.log)
    assert 200 < submitted <= 200 + 2 * 500
    assert waiting(database) == []
    assert check(database, campaign).tally.unknown == 0
    assert send(database, logs, campaign, network) is Outcome.HALTED
    assert len(network.log) == submitted

    activate(database)
    network.fate = taken
    assert waiting(database) == [(campaign.id, 0)]
    while send(database, logs, campaign, network) is not Outcome.COMPLETE:
        ledger_shard = check(database, campaign)
        assert ledger_shard.tally.retry, "what was taken back is due again at once"

    assert network.numbers == Counter(13800000000 + number for number in range(1, 3001))
    assert check(database, campaign).tally.accepted == 3000


def test_another_gateway_sends_on(database, logs):
    move_in(database, crowd(5))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()

    drain(database, "other")

    assert waiting(database) == [(campaign.id, 0)]
    assert send(database, logs, campaign, network) is Outcome.COMPLETE


def test_nothing_is_intended_claimed_or_tried_again_once_the_drain_is_committed(database):
    move_in(database, crowd(10))
    campaign = trigger(database, "a", SIZE, gateway="net")
    hold = claimed(database, campaign)
    drain(database)

    with pytest.raises(LeaseLost), writing(database) as connection:
        ledger.intend(connection, hold, chunk_of([1, 2, 3]))
    with writing(database) as connection:
        assert not ledger.is_to_be_sent(connection, hold)
        assert not ledger.is_to_be_sent(connection, hold, renew=True)
        ledger.release(connection, hold)
    with pytest.raises(ShardTaken), writing(database) as connection:
        ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)


def test_a_drain_waits_for_who_is_just_intending_and_holds_up_nobody_who_reads(mysql):
    move_in(mysql, crowd(10))
    campaign = trigger(mysql, "a", SIZE, gateway="net")
    hold = claimed(mysql, campaign)

    with ThreadPoolExecutor(1) as thread:
        with writing(mysql) as connection:
            ledger.intend(connection, hold, chunk_of([1, 2, 3]))
            draining = thread.submit(drain, mysql)
            with pytest.raises(TimeoutError):
                draining.result(0.5)
            assert snapshot(mysql, "a").drain is None
        assert draining.result(30).changed

    with pytest.raises(LeaseLost), writing(mysql) as connection:
        ledger.intend(connection, hold, chunk_of([4, 5, 6]))


def test_receipts_and_answers_go_on(database):
    move_in(database, crowd(5))
    campaign = recorded(database, "a", [Delivery.ACCEPTED, Delivery.ACCEPTED])
    drain(database)

    apply(database, receipt(1))

    assert states(database, campaign) == [Delivery.DELIVERED, Delivery.ACCEPTED]


def test_a_campaign_says_that_it_waits_and_since_when_and_for_whom(database):
    move_in(database, crowd(5))
    trigger(database, "to-logs", SIZE)
    trigger(database, "a", SIZE, gateway="net")
    assert snapshot(database, "a").waits_for is None

    done = drain(database)

    found = snapshot(database, "a").waits_for
    assert found and found.who == "ada" and abs((found.since - done.drain.since).total_seconds()) < 1
    assert snapshot(database, "a").campaign.state == "running"
    assert snapshot(database, "to-logs").waits_for is None


def test_it_stands_in_the_audit_trail_once(database):
    assert [drain(database).changed, drain(database).changed] == [True, False]
    assert [activate(database).changed, activate(database).changed] == [True, False]

    found = [(each.deed, each.who, each.subject, each.before, each.after) for each in entries(database)]
    assert found == [
        ("gateway_activate", "ada", "net", {"state": "drained"}, {"state": "active"}),
        ("gateway_drain", "ada", "net", {"state": "active"}, {"state": "drained"}),
    ]


def test_a_drain_waits_for_sessions_to_end_and_says_how_many_did_not(sqlite, monkeypatch):
    with writing(sqlite) as connection:
        slot = accounts.take_bind(connection, "net", 3, "one")
    assert drain(sqlite).sessions == 1

    monkeypatch.setattr(use_case, "SETTLED_WITHIN_S", 60.0)
    with ThreadPoolExecutor(1) as thread:
        draining = thread.submit(drain, sqlite)
        with writing(sqlite) as connection:
            accounts.give_bind_back(connection, "net", slot, "one")
        assert draining.result(50).sessions == 0


def test_a_message_to_try_it_is_refused(database):
    network = Network()
    drain(database)

    with refused(NotTried, "nothing was sent: gateway net drained since 20.* by ada"):
        asyncio.run(Trial(database, network, [13800000001], "hello", 1).run(lambda *_: None, 0))

    assert network.log == []


def test_messages_to_try_it_end_with_a_drain(database):
    network = Network()

    fates = asyncio.run(
        Trial(database, network, [13800000001, 13800000002], "hello", 1).run(lambda *_: drain(database), 0)
    )

    assert (len(fates), len(network.log)) == (1, 1)


def test_a_campaign_that_waits_for_its_gateway_is_not_stuck(database):
    move_in(database, crowd(5))
    campaign = trigger(database, "a", SIZE, gateway="net")
    drain(database)

    Sampler(database).sample()

    with database.connect() as connection:
        assert samples.of_campaign(connection, campaign.id) == []


# ── the command ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def file(gateways):
    gateways('[net]\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "sms"\npassword_env = "SMPP_A_PASSWORD"\n')


@pytest.mark.usefixtures("file")
def test_the_command_drains_and_activates_and_status_says_so(app, sqlite):
    move_in(sqlite, crowd(5))
    trigger(sqlite, "a", SIZE, gateway="net")

    assert "gateway net drained since" in app("gateways", "drain", "net").out
    assert "gateway net drained since" in app("status", "a").out
    assert "gateway net drained since" in app("status").out
    assert "drained" in app("gateways").out
    facts = json.loads(app("status", "a", "--json").out)
    assert (facts["state"], "@" in facts["gateway_drained_by"]) == ("running", True)
    assert json.loads(app("gateways", "--json").out)[0]["state"] == "drained"

    assert "gateway net is active" in app("gateways", "activate", "net").out
    assert "drained" not in app("status", "a").out
    assert json.loads(app("gateways", "drain", "net", "--json").out)["state"] == "drained"


@pytest.mark.usefixtures("file")
def test_the_command_refuses_a_gateway_that_is_not_there(app, sqlite):
    assert "no gateway is named nte; there are net" in app("gateways", "drain", "nte").err
    assert "takes the name of a gateway" in app("gateways", "drain").err
    with sqlite.connect() as connection:
        assert drains.every(connection) == {}
