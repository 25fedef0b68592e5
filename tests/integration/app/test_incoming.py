"""Receipts and replies are acknowledged once they are on record, and who says no gets nothing more."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt, Reply
from app.receiving.incoming import Incoming
from app.store import opt_outs
from tests import waiting
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded

NOW = datetime.now(UTC)


def come(database, *news, looks_at_early=False, until=lambda: True):
    """All of them come at once; returns when all are acknowledged and `until` holds."""

    async def run():
        incoming = Incoming(database, "net", "-")
        job = asyncio.create_task(incoming.run(looks_at_early=looks_at_early))
        async with asyncio.timeout(20):
            await asyncio.gather(*(incoming.take([each]) for each in news))
            await asyncio.to_thread(waiting.until, until, within_s=15)
        job.cancel()

    asyncio.run(run())


def out(database, *mobiles):
    """Which of these numbers want nothing."""
    with database.connect() as connection:
        return opt_outs.among(connection, "-", mobiles)


def test_receipts_are_on_record_once_they_are_acknowledged(database):
    move_in(database, crowd(10))
    campaign = recorded(database, "a", [Delivery.ACCEPTED] * 10)

    come(database, *(Receipt(f"id{number}", 100 + number, Delivery.DELIVERED, "", NOW) for number in range(1, 11)))

    assert check(database, campaign).tally.delivered == 10


def test_an_early_receipt_is_looked_at_again_by_itself(database):
    move_in(database, crowd(10))
    come(database, Receipt("id1", 101, Delivery.DELIVERED, "", NOW))
    campaign = recorded(database, "a", [Delivery.ACCEPTED])

    come(database, looks_at_early=True, until=lambda: rows_of(database, campaign)[0].state is Delivery.DELIVERED)

    check(database, campaign)


@pytest.mark.parametrize("text", ["R", "td", " TD ", "ＴＤ", "退订", "【退订】", "n", "Stop."])
def test_a_reply_that_means_no_is_an_opt_out(database, text):
    come(database, Reply(13800000001, text, NOW), Reply(13800000002, "谢谢", NOW))

    assert out(database, 13800000001, 13800000002) == {13800000001}


def test_the_same_no_from_the_same_number_is_one(database):
    come(database, *[Reply(13800000001, "TD", NOW)] * 3)
    come(database, Reply(13800000001, "TD", NOW))

    assert out(database, 13800000001) == {13800000001}
