"""The product beside a message centre that does not do as one should: nothing is lost, and memory is bounded."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain.campaign import State
from app.domain.delivery import Delivery
from app.store.tables import customers, messages, shards
from tests.acceptance.network_sender import GATEWAY, Sender
from tests.acceptance.test_chaos import children
from tests.integration.app.campaigns import trigger, with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.smpp.smsc import running
from tests.waiting import until

RECEIPTS = 100_000
MOST_MORE_BYTES = 32 * 2**20
"""All of the receipts are 8 MB on the wire, and some 200 MB as objects of ours."""
pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.timeout(600)]


def receiver_bytes(sender: Sender) -> int:
    """The most memory that the receiver ever had; 0 before it is there."""
    for title, process in children(sender):
        if title.startswith("sms: receiver"):
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            return int(found[1]) * 1024 if found else 0
    return 0


def everybody_is_accepted(sender: Sender) -> None:
    """A campaign whose messages the centre took a while ago, under the customers' ids, and whose receipts are due."""
    campaign = trigger(sender.database, "spring", RECEIPTS, "{name}, hello", gateway=GATEWAY)
    at = sa.func.now()
    values = {
        "campaign_id": campaign.id, "shard": 0, "parts": 1, "state": Delivery.ACCEPTED.value, "epoch": 1,
        "attempts": 1, "error": "",
    }  # fmt: skip
    columns = ["customer_id", "mobile", "provider_id", "submitted_at", *values]
    read = sa.select(customers.c.id, customers.c.mobile, customers.c.id, at, *map(sa.literal, values.values()))
    done = {"last_id": RECEIPTS, "intended_id": RECEIPTS, "sent": RECEIPTS, "accepted": RECEIPTS, "male": RECEIPTS}
    with sender.database.begin() as connection:
        connection.execute(messages.insert().from_select(columns, read))
        connection.execute(shards.update().values(epoch=1, **done))


def test_of_100_000_receipts_at_once_none_is_lost_and_the_receiver_stays_small(mysql_url: str, tmp_path: Path) -> None:
    home = tmp_path / "centre"
    home.mkdir()
    owed = (f"owed\t{number}\tsms\t86138{number:08}\t10690000\t2\ttlv\n" for number in range(1, RECEIPTS + 1))
    with (
        with_tables(mysql_url),
        running(home, "--deliver-window", str(RECEIPTS)) as centre,
        Sender(mysql_url, tmp_path, task_worker_num=1, shard_size=RECEIPTS) as sender,
    ):
        sender.use(centre, tmp_path, rate=100)
        move_in(sender.database, crowd(RECEIPTS))
        everybody_is_accepted(sender)
        sender.start()
        until(lambda: "bound" in sender.said(), what="the receiver is bound")
        small = receiver_bytes(sender)
        centre.kill()
        (home / "smsc.log.receipts").write_text("".join(owed))

        centre.start()

        until(lambda: sender.counts()[Delivery.DELIVERED] == RECEIPTS, within_s=360, what="every receipt is on record")
        book = home / "smsc.log.receipts"
        until(lambda: book.read_text().count("done") == RECEIPTS, within_s=90, what="every receipt is acknowledged")
        more = receiver_bytes(sender) - small
        said = sender.said()

    print(f"{more / 2**20:.1f} MB more for {RECEIPTS} receipts")
    assert more < MOST_MORE_BYTES
    assert said.count("not bound, trying again") <= 2


def test_answers_that_come_after_the_time_for_them_leave_nobody_out(mysql_url: str, tmp_path: Path) -> None:
    home = tmp_path / "centre"
    home.mkdir()
    with (
        with_tables(mysql_url),
        running(home, "--receipts-after", "0.3", "--answer-after", "3") as centre,
        Sender(mysql_url, tmp_path, task_worker_num=2, shard_size=100) as sender,
    ):
        sender.use(centre, tmp_path, rate=1_000)  # an answer may take 2 s
        move_in(sender.database, crowd(200))
        sender.start()
        sender.begin("spring")

        assert sender.wait_until_over("spring") == State.FINISHED
        in_doubt = sender.counts()[Delivery.UNKNOWN]
        counts = until(
            lambda: found if (found := +sender.counts()) == {Delivery.DELIVERED: 200} else None,
            within_s=90,
            what="every receipt is on record",
        )
        numbers = sender.numbers()

    print(f"{in_doubt} were in doubt when all was submitted")
    assert counts == {Delivery.DELIVERED: 200}
    assert (len(numbers), max(numbers.values())) == (200, 1)
