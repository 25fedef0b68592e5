"""A message of several parts has an id for each: it is delivered when all of them are."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from app.domain.chunk import Chunk, Entry, News
from app.domain.delivery import Delivery
from app.domain.page import by_form
from app.domain.receipt import Receipt
from app.gateways.accounts import SmppAccount
from app.gateways.smpp.network import SmppNetwork
from app.receiving.receiver import receive
from app.store import ledger, messages
from app.store.database import writing
from app.store.tables import early_receipts
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import send
from tests.integration.app.test_receipts import apply, apply_early, states
from tests.integration.smpp.smsc import running
from tests.waiting import until

NOW = datetime.now(UTC)
IDS = ("a", "b", "c")


@pytest.fixture(autouse=True)
def people(database):
    move_in(database, crowd(10))


def recorded(database, name="long", ids=IDS, state=Delivery.ACCEPTED):
    """A campaign whose customer 1 has a message in so many parts; and who holds its shard."""
    campaign = trigger(database, name, 1000, gateway="net")
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)
        ledger.intend(connection, hold, Chunk(0, 1, [1], [101], [len(ids)], tally=by_form([1])))
        entry = Entry(1, 101, len(ids), state, NOW, ids[0] if state is Delivery.ACCEPTED else "")
        part_ids = ids if state is Delivery.ACCEPTED else ()
        ledger.record(connection, hold, 0, 1, [entry._replace(part_ids=part_ids)])
    return campaign, hold


def settle(database, hold, news):
    with writing(database) as connection:
        return ledger.settle(connection, hold.campaign_id, hold.number, news, validity_s=60).total()


def of(provider_id, state=Delivery.DELIVERED, at=NOW):
    """The receipt of this part."""
    return Receipt(provider_id, 101, state, "" if state is Delivery.DELIVERED else state.value, at)


def waiting(database):
    """How many receipts wait for their message."""
    with database.connect() as connection:
        return len(connection.execute(early_receipts.select()).all())


@pytest.mark.parametrize("order", [*permutations(IDS)])
def test_a_message_is_delivered_when_all_its_parts_are_in_whatever_order(database, order):
    campaign, _ = recorded(database)
    seen = []

    for each in order:
        apply(database, of(each))
        seen += states(database, campaign)
        check(database, campaign)

    assert seen == ["accepted", "accepted", "delivered"]
    assert rows_of(database, campaign)[0].provider_id == "a"
    assert waiting(database) == 0


def test_receipts_of_all_parts_in_one_go_deliver_the_message(database):
    campaign, _ = recorded(database)

    assert apply(database, *map(of, IDS)) == 1

    assert states(database, campaign) == ["delivered"]
    check(database, campaign)


@pytest.mark.parametrize("which", IDS)
def test_a_receipt_of_one_part_twice_does_not_count_for_another_one(database, which):
    campaign, _ = recorded(database)

    for _ in range(4):
        assert apply(database, of(which), of(which)) == 0

    assert states(database, campaign) == ["accepted"]
    assert waiting(database) == 0


@pytest.mark.parametrize("bad", [Delivery.UNDELIVERED, Delivery.EXPIRED])
def test_a_message_is_undelivered_as_soon_as_one_of_its_parts_is_and_stays_so(database, bad):
    campaign, _ = recorded(database)

    apply(database, of("a"))
    assert apply(database, of("b", bad)) == 1
    assert apply(database, of("b"), of("c"), of("a")) == 0

    row = rows_of(database, campaign)[0]
    assert (row.state, row.error) == (bad, bad.value)
    assert waiting(database) == 0
    check(database, campaign)


def test_receipts_of_parts_before_their_message_is_on_record_wait_for_it(database):
    apply(database, of("c"), of("a"))
    campaign, _ = recorded(database)

    apply_early(database)
    assert states(database, campaign) == ["accepted"]
    assert waiting(database) == 0
    apply(database, of("b"))

    assert states(database, campaign) == ["delivered"]
    check(database, campaign)


@pytest.mark.parametrize("state", [Delivery.SUBMITTING, Delivery.UNKNOWN])
def test_a_late_answer_brings_the_ids_of_the_parts_and_may_be_told_twice(database, state):
    campaign, hold = recorded(database, state=state)
    news = [News(1, hold.epoch, Delivery.ACCEPTED, "a", part_ids=IDS)]

    assert settle(database, hold, news) == 1
    assert settle(database, hold, news) == 0
    apply(database, of("c"), of("b"))
    assert states(database, campaign) == ["accepted"]
    apply(database, of("a"))

    assert states(database, campaign) == ["delivered"]
    check(database, campaign)


def test_a_receipt_of_a_part_of_an_earlier_attempt_says_nothing_of_the_last_one(database):
    campaign, hold = recorded(database)
    apply(database, of("b", Delivery.UNDELIVERED))
    with writing(database) as connection:  # a person wants it tried again
        messages.change(connection, campaign.id, [1], Delivery.RETRY)
        connection.execute(ledger.shards.update().values(undelivered=0, retry=1))
        ledger.intend_again(connection, hold, [1])
    settle(database, hold, [News(1, hold.epoch, Delivery.ACCEPTED, "d", part_ids=("d", "e", "f"))])

    assert apply(database, *map(of, IDS), of("c", Delivery.EXPIRED)) == 0
    assert states(database, campaign) == ["accepted"]
    apply(database, *map(of, "def"))

    assert states(database, campaign) == ["delivered"]
    assert waiting(database) == 0
    check(database, campaign)


def test_what_a_real_message_centre_says_of_three_parts_delivers_the_message(database, logs, tmp_path, monkeypatch):
    monkeypatch.setenv("CENTRE_PASSWORD", "secret")
    campaign = trigger(database, "a", 1000, template="{name}：" + "长" * 150, gateway="net")

    async def receive_until_over(network):
        receiving = asyncio.create_task(receive(database, network))

        def is_over():
            return {*states(database, campaign)} == {"delivered"} or receiving.done()

        try:
            await asyncio.to_thread(until, is_over, what="the receipts are on record")
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    with running(tmp_path, "--receipts-after", "0.2") as centre:
        account = SmppAccount(
            kind="smpp", host="127.0.0.1", port=centre.port, system_id="sms", password_env="CENTRE_PASSWORD"
        )
        network = SmppNetwork("net", account)
        send(database, logs, campaign, network)
        asyncio.run(receive_until_over(network))
        submissions = centre.submissions()

    assert len(submissions) == 30
    assert {row.parts for row in rows_of(database, campaign)} == {3}
    assert states(database, campaign) == ["delivered"] * 10
    assert waiting(database) == 0
    check(database, campaign)


# ── in doubt: no answer told the ids of its parts ───────────────────────────────────────────────


def come_late(database, *found):
    """They wait for so long that they are taken for those of messages in doubt."""
    apply(database, *(replace(each, received_at=NOW - timedelta(seconds=30)) for each in found))
    changed = apply_early(database, by_parts=True)
    assert apply_early(database, by_parts=True) == 0
    return changed


def fate(database, campaign):
    (row,) = rows_of(database, campaign)
    check(database, campaign)
    return row.state, row.provider_id


@pytest.mark.parametrize("order", [*permutations(IDS)])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_message_in_doubt_is_delivered_when_all_its_parts_are(database, order, at_once):
    campaign, _ = recorded(database, state=Delivery.UNKNOWN)
    seen = []

    for each in [order] if at_once else [[each, each] for each in order]:
        come_late(database, *map(of, each))
        seen.append(fate(database, campaign))

    taken = [] if at_once else [(Delivery.ACCEPTED, order[0])] * 2
    assert seen == [*taken, (Delivery.DELIVERED, order[0])]
    assert waiting(database) == 0


def test_a_receipt_of_one_part_of_a_message_in_doubt_proves_no_more_however_often_it_comes(database):
    campaign, _ = recorded(database, state=Delivery.UNKNOWN)

    for _ in range(4):
        come_late(database, of("b", Delivery.ACCEPTED), of("b"))

    assert fate(database, campaign) == (Delivery.ACCEPTED, "b")


def test_a_message_in_doubt_is_undelivered_as_soon_as_one_of_its_parts_is_and_its_others_are_of_no_other_one(database):
    campaign, _ = recorded(database, state=Delivery.UNKNOWN)
    other, _ = recorded(database, "other", state=Delivery.UNKNOWN)

    come_late(database, of("a"))
    come_late(database, of("c", Delivery.UNDELIVERED))
    come_late(database, of("b"))

    assert [fate(database, each) for each in (campaign, other)] == [
        (Delivery.UNDELIVERED, "a"),
        (Delivery.UNKNOWN, None),
    ]
    come_late(database, of("x"))
    assert fate(database, other) == (Delivery.ACCEPTED, "x")


def test_receipts_without_an_id_are_each_of_one_part(database):
    campaign, _ = recorded(database, state=Delivery.UNKNOWN)
    seen = []

    for _ in IDS:
        come_late(database, of(""))
        seen.append(fate(database, campaign)[0])

    assert seen == [Delivery.ACCEPTED, Delivery.ACCEPTED, Delivery.DELIVERED]


def test_an_answer_that_comes_after_all_changes_nothing_of_what_receipts_said(database):
    campaign, hold = recorded(database, state=Delivery.UNKNOWN)
    come_late(database, of("b"))

    settle(database, hold, [News(1, hold.epoch, Delivery.ACCEPTED, "a", part_ids=IDS)])
    assert fate(database, campaign)[0] is Delivery.ACCEPTED
    come_late(database, of("a"), of("c"))

    assert fate(database, campaign)[0] is Delivery.DELIVERED


def test_where_a_message_has_one_id_its_receipt_is_of_all_of_it(database):
    campaign, _ = recorded(database, state=Delivery.UNKNOWN)

    apply(database, of("a", at=NOW - timedelta(seconds=30)))
    apply_early(database)

    assert fate(database, campaign) == (Delivery.DELIVERED, "a")
