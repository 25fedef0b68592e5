"""Receipts meet their messages, whenever and however often they come."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from app.domain.chunk import Chunk, Entry
from app.domain.delivery import Delivery
from app.domain.page import by_form
from app.domain.receipt import Receipt
from app.store import ledger, receipts
from app.store.database import writing
from app.store.tables import messages
from tests.conftest import MYSQL
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(minutes=10)
"""When what is in doubt was submitted."""


def receipt(number, state=Delivery.DELIVERED, *, error="", at=NOW, provider_id=None):
    """Of customer `number`."""
    return Receipt(f"id{number}" if provider_id is None else provider_id, 100 + number, state, error, at)


def recorded(database, name, states, gateway="net"):
    """A campaign whose customers 1, 2, … have a message in these states; those that were answered have ids."""
    campaign = trigger(database, name, 1000, gateway=gateway)
    ids = list(range(1, len(states) + 1))
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)
        mobiles = [100 + each for each in ids]
        ledger.intend(connection, hold, Chunk(0, len(ids), ids, mobiles, [1] * len(ids), tally=by_form(ids)))
        entries = [
            Entry(each, 100 + each, 1, state, BEFORE if state is Delivery.UNKNOWN else NOW,
                  "" if state in {Delivery.UNKNOWN, Delivery.SUBMITTING} else f"id{each}")
            for each, state in zip(ids, states, strict=True)
        ]  # fmt: skip
        ledger.record(connection, hold, 0, len(ids), entries)
    return campaign


def apply(database, *found, gateway="net"):
    """They come, in one go."""
    with writing(database) as connection:
        return receipts.apply(connection, gateway, found)


def apply_early(database, gateway="net", *, by_parts=False):
    """Those that waited are looked at again."""
    with writing(database) as connection:
        return receipts.apply_early(connection, gateway, by_parts=by_parts)[0]


def states(database, campaign):
    """Of each message, by customer."""
    return [row.state for row in rows_of(database, campaign)]


@pytest.fixture(autouse=True)
def people(database):
    move_in(database, crowd(10))


def test_a_receipt_makes_its_message_what_it_says(database):
    campaign = recorded(database, "a", [Delivery.ACCEPTED] * 4)

    changed = apply(
        database,
        receipt(1),
        receipt(2, Delivery.UNDELIVERED, error="UNDELIV 011"),
        receipt(3, Delivery.EXPIRED, error="EXPIRED"),
    )

    assert changed == 3
    assert states(database, campaign) == ["delivered", "undelivered", "expired", "accepted"]
    assert [row.error for row in rows_of(database, campaign)] == ["", "UNDELIV 011", "EXPIRED", ""]
    assert [row.final_at is None for row in rows_of(database, campaign)] == [False, False, False, True]
    check(database, campaign)


def test_a_receipt_twice_is_nothing_new_and_what_is_final_stays(database):
    campaign = recorded(database, "a", [Delivery.ACCEPTED] * 2)

    assert apply(database, receipt(1), receipt(1), receipt(1, Delivery.UNDELIVERED)) == 1
    assert apply(database, receipt(1, Delivery.EXPIRED)) == 0

    assert states(database, campaign) == ["delivered", "accepted"]
    check(database, campaign)


def test_a_receipt_before_its_message_is_on_record_waits_for_it(database):
    assert apply(database, receipt(2)) == 0
    campaign = recorded(database, "a", [Delivery.ACCEPTED] * 2)

    assert apply_early(database) == 1
    assert apply_early(database) == 0

    assert states(database, campaign) == ["accepted", "delivered"]
    check(database, campaign)


def test_a_receipt_proves_that_a_message_in_doubt_was_taken(database):
    campaign = recorded(database, "a", [Delivery.UNKNOWN, Delivery.UNKNOWN])
    long_ago = NOW - timedelta(minutes=5)

    apply(database, receipt(2, provider_id="never-heard-of", at=long_ago))

    assert apply_early(database) == 1
    assert states(database, campaign) == ["unknown", "delivered"]
    assert rows_of(database, campaign)[1].provider_id == "never-heard-of"
    check(database, campaign)


def waiting_receipts(database):
    """By their ids, what they say."""
    columns = receipts.early_receipts.c
    with database.connect() as connection:
        query = sa.select(columns.provider_id, columns.state).order_by(columns.id)
        return [tuple(row) for row in connection.execute(query)]


@pytest.mark.parametrize("passes", [1, 2])
def test_all_receipts_of_one_id_are_of_one_message_in_doubt(database, passes):
    campaigns = [recorded(database, name, [Delivery.UNKNOWN]) for name in "ab"]
    long_ago = NOW - timedelta(minutes=5)
    news = [receipt(1, each, provider_id="SM1", at=long_ago) for each in (Delivery.ACCEPTED, Delivery.DELIVERED)]

    for at_once in [news] if passes == 1 else [[each] for each in news]:
        apply(database, *at_once)
        apply_early(database)

    assert [states(database, each) for each in campaigns] == [["delivered"], ["unknown"]]
    assert [rows_of(database, each)[0].provider_id for each in campaigns] == ["SM1", None]
    assert waiting_receipts(database) == []
    for each in campaigns:
        check(database, each)


def test_receipts_of_two_ids_are_of_two_messages_in_doubt(database):
    campaigns = [recorded(database, name, [Delivery.UNKNOWN]) for name in "ab"]
    long_ago = NOW - timedelta(minutes=5)

    apply(database, *(receipt(1, provider_id=each, at=long_ago) for each in ("SM1", "SM2", "SM3")))

    assert apply_early(database) == 2
    assert [rows_of(database, each)[0].provider_id for each in campaigns] == ["SM1", "SM2"]
    assert waiting_receipts(database) == [("SM3", "delivered")]


def of(reference, number=1):
    long_ago = NOW - timedelta(minutes=5)
    return Receipt(f"SM-{reference}", 100 + number, Delivery.DELIVERED, "", long_ago, reference=reference)


@pytest.mark.parametrize("reference", ["99-1", "99-1-1", "{id}-2", "{id}-1-2", "1{id}-1", "trial-0f", "trial-0f-1"])
def test_a_receipt_that_says_which_attempt_it_is_of_settles_no_other_one(database, reference):
    campaign = recorded(database, "a", [Delivery.UNKNOWN])

    apply(database, of(reference.format(id=campaign.id)))

    assert apply_early(database) == 0
    assert states(database, campaign) == ["unknown"]
    assert waiting_receipts(database) != []


def test_a_receipt_that_came_before_a_message_was_submitted_is_not_of_that_one(database):
    campaign = recorded(database, "a", [Delivery.UNKNOWN, Delivery.UNKNOWN])

    apply(database, receipt(1, provider_id="SM0", at=BEFORE - timedelta(seconds=61)))
    apply(database, receipt(2, provider_id="SM1", at=BEFORE - timedelta(seconds=59)))  # by clocks that differ

    assert apply_early(database) == 1
    assert states(database, campaign) == ["unknown", "delivered"]
    assert waiting_receipts(database) == [("SM0", "delivered")]


@pytest.mark.parametrize("reference", ["{id}-1", "{id}-1-1"])
def test_of_two_in_doubt_the_one_is_settled_that_the_receipt_says_it_is_of(database, reference):
    older, newer = (recorded(database, name, [Delivery.UNKNOWN]) for name in "ab")

    apply(database, of(reference.format(id=newer.id)))

    assert apply_early(database) == 1
    assert [states(database, each) for each in (older, newer)] == [["unknown"], ["delivered"]]
    assert waiting_receipts(database) == []


@pytest.mark.parametrize("database_kind", [MYSQL], indirect=True)
def test_who_looks_while_another_server_does_finds_no_second_message_for_an_id(database, monkeypatch):
    campaigns = [recorded(database, name, [Delivery.UNKNOWN]) for name in "ab"]
    apply(database, receipt(1, provider_id="SM1", at=NOW - timedelta(minutes=5)))
    in_doubt = receipts._in_doubt

    def the_other_is_quicker(*given, **more):
        monkeypatch.setattr(receipts, "_in_doubt", in_doubt)
        apply(database, receipt(1, Delivery.ACCEPTED, provider_id="SM1", at=NOW - timedelta(minutes=5)))
        assert apply_early(database) == 1
        return in_doubt(*given, **more)

    monkeypatch.setattr(receipts, "_in_doubt", the_other_is_quicker)
    assert apply_early(database) == 0

    assert [states(database, each) for each in campaigns] == [["delivered"], ["unknown"]]
    assert [rows_of(database, each)[0].provider_id for each in campaigns] == ["SM1", None]


def test_a_receipt_that_is_pushed_again_waits_once(database):
    for _ in range(3):
        apply(database, receipt(1), receipt(1), receipt(1, Delivery.ACCEPTED))
    apply(database, receipt(1, provider_id=""), receipt(1, provider_id=""))

    assert waiting_receipts(database) == [
        ("id1", "delivered"),
        ("id1", "accepted"),
        ("", "delivered"),
        ("", "delivered"),
    ]


def test_a_fresh_receipt_is_not_taken_for_one_of_another_message_in_doubt(database):
    campaign = recorded(database, "a", [Delivery.UNKNOWN])

    apply(database, receipt(1, provider_id="of-another-campaign", at=datetime.now(UTC)))

    assert apply_early(database) == 0
    assert states(database, campaign) == ["unknown"]


class HourBehind(datetime):
    """The clock of a host that is wrong."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(hours=1)


@pytest.mark.parametrize("database_kind", [MYSQL], indirect=True)
def test_a_fresh_receipt_is_one_though_it_came_to_a_host_whose_clock_is_behind(database, monkeypatch):
    campaign = recorded(database, "a", [Delivery.UNKNOWN])
    with monkeypatch.context() as there:
        there.setattr(receipts, "datetime", HourBehind)
        apply(database, receipt(1, provider_id="of-another-campaign", at=HourBehind.now(UTC)))

    assert apply_early(database) == 0

    assert states(database, campaign) == ["unknown"]


def test_a_receipt_of_another_gateway_says_nothing(database):
    campaign = recorded(database, "a", [Delivery.ACCEPTED])

    assert apply(database, receipt(1), gateway="other") == 0
    assert apply_early(database) == 0
    assert apply_early(database, gateway="other") == 0

    assert states(database, campaign) == ["accepted"]


def test_a_receipt_of_an_id_used_again_is_for_the_newest_campaign(database):
    first = recorded(database, "a", [Delivery.ACCEPTED])
    second = recorded(database, "b", [Delivery.ACCEPTED])

    apply(database, receipt(1))

    assert (states(database, first), states(database, second)) == (["accepted"], ["delivered"])


def test_receipts_nobody_asked_for_are_forgotten_after_three_days(database):
    apply(database, receipt(9, at=NOW - timedelta(hours=73)), receipt(8, at=NOW - timedelta(hours=71)))

    apply_early(database)

    with database.connect() as connection:
        left = connection.execute(receipts.early_receipts.select()).all()
    assert [row.provider_id for row in left] == ["id8"]


def test_receipts_in_any_order_come_to_the_same_and_counts_agree(database):
    seed = 11
    random = Random(seed)
    campaign = recorded(database, "a", [Delivery.ACCEPTED] * 8)
    found = [receipt(number) for number in range(1, 9)] * 3
    random.shuffle(found)

    while found:
        count = random.randint(1, 5)
        apply(database, *found[:count])
        del found[:count]
        check(database, campaign)

    assert states(database, campaign) == ["delivered"] * 8, f"seed {seed}"


def test_two_receipts_of_a_message_in_one_go_come_to_the_last_one(database):
    campaign = recorded(database, "a", [Delivery.SUBMITTING, Delivery.ACCEPTED])
    with writing(database) as connection:
        connection.execute(messages.update().where(messages.c.customer_id == 1).values(provider_id="id1"))

    apply(database, receipt(2), receipt(1, Delivery.ACCEPTED), receipt(1))

    assert states(database, campaign) == ["delivered", "delivered"]
    check(database, campaign)
