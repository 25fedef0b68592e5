"""The report says yes to a ledger that is exact, and names what differs in all others."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.audit import ledger_report as module
from app.audit.ledger_report import LedgerReport, ledger_report
from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.store import opt_outs, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, trigger
from tests.integration.app.network import Network
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import Killed, die_at, send
from tests.integration.app.test_receipts import apply
from tests.words import words

COUNT = 40
SIZE = 25


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(module, "WINDOW_IDS", 7)


def sent(database, logs, network=None, name="a", **options):
    """A campaign of two shards; one customer has opted out."""
    move_in(database, crowd(COUNT))
    with writing(database) as connection:
        opt_outs.add(connection, "-", [13800000003], "person")
    campaign = trigger(database, name, SIZE, gateway="net")
    for number in (0, 1):
        send(database, logs, campaign, network or Network(), number=number, **options)
    return campaign


def check(database, centre_log=None) -> LedgerReport:
    *_, whole = ledger_report(database, "a", centre_log)
    assert isinstance(whole, LedgerReport)
    return whole


def said(report):
    """Every difference, but that it is not closed yet."""
    found = [each for task in report.tasks for each in task.differences if each.code != "difference.unfinished"]
    return [words(each) for each in [*found, *report.differences]]


def change(database, statement):
    with writing(database) as connection:
        connection.execute(statement)


def test_an_exact_ledger_agrees_and_is_counted(database, logs):
    sent(database, logs)
    took = [Receipt(f"id-{number}", 0, Delivery.DELIVERED, "", datetime.now(UTC)) for number in range(15)]
    lost = [Receipt(f"id-{number}", 0, Delivery.UNDELIVERED, "UNDELIV 011", datetime.now(UTC)) for number in (20, 21)]
    apply(database, *took, *lost)

    whole = check(database)

    assert said(whole) == []
    assert whole.agrees_so_far
    assert (whole.tally.taken, whole.tally.rejected) == (COUNT - 1, 1)
    assert whole.errors == [("UNDELIV 011", whole.tally.undelivered)]
    assert whole.took.count == whole.tally.delivered + whole.tally.undelivered
    assert whole.delivered_share == whole.tally.delivered / (COUNT - 1)
    assert whole.parts >= COUNT - 1


def test_the_shard_of_a_task_that_was_killed_or_stopped_agrees_so_far(database, logs):
    network = Network(fate=die_at(10))
    with pytest.raises(Killed):
        sent(database, logs, network)

    killed = check(database)
    assert said(killed) == []
    assert killed.tally.submitting > 0

    campaign = trigger(database, "a", SIZE, gateway="net")
    send(database, logs, campaign, Network(), should_stop=after(1), number=1)
    assert said(check(database)) == []


def test_counts_that_are_not_those_of_the_rows_are_named(database, logs):
    sent(database, logs)
    rows = tables.messages
    change(database, rows.update().where(rows.c.customer_id == 5).values(state="unknown"))

    assert said(check(database)) == [
        "accepted: 24 counted, the ledger has 23",
        "unknown: 0 counted, the ledger has 1",
    ]


def test_who_has_no_row_or_is_rejected_as_well_is_named(database, logs):
    campaign = sent(database, logs)
    change(database, tables.messages.delete().where(tables.messages.c.customer_id == 30))
    reject = {"campaign_id": campaign.id, "customer_id": 5, "shard": 0, "reason": "opted_out"}
    change(database, tables.rejects.insert().values(**reject))

    assert said(check(database)) == [
        "1 reject counted, 2 on record",
        "1 customer is in the ledger and rejected as well, id 5",
        "accepted: 15 counted, the ledger has 14",
        "1 customer is neither in the ledger nor rejected, id 30",
    ]


def test_who_came_after_their_turn_is_late_and_no_difference(database, logs):
    sent(database, logs)
    change(database, tables.customers.delete().where(tables.customers.c.id == 9))
    change(database, tables.messages.delete().where(tables.messages.c.customer_id == 9))
    is_first = tables.shards.c.number == 0
    less = {"accepted": 23, "sent": 23, "male": tables.shards.c.male - 1}
    change(database, tables.shards.update().where(is_first).values(**less))
    move_in(database, [(9, "李四", 1, "13800000009")])

    whole = check(database)

    assert said(whole) == []
    assert [each.late for each in whole.tasks] == [[9], []]


def centre_log(tmp_path, numbers, at=None):
    """The log of a message centre that took these, from a day ago on."""
    path = tmp_path / "smsc.log"
    when = f"{at or datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}.000000Z"
    path.write_text("".join(f"{when}\tsms\t86{each}\t{place}\t\ttext\n" for place, each in enumerate(numbers, 1)))
    return path


def numbers_of(database):
    with database.connect() as connection:
        rows = connection.execute(sa.select(tables.messages.c.mobile, tables.messages.c.parts)).all()
    return [mobile for mobile, parts in rows for _ in range(parts)]


def test_a_message_centre_that_took_just_these_agrees(database, logs, tmp_path):
    sent(database, logs)
    log = centre_log(tmp_path, numbers_of(database))
    with log.open("a") as more:  # refused, and of a campaign of before
        more.write("2999-01-01T00:00:00.000000Z\tsms\t8613900000000\t\t\ttext\n")
        more.write("2001-01-01T00:00:00.000000Z\tsms\t8613900000000\t77\t\ttext\n")

    assert said(check(database, log)) == []


def test_what_the_message_centre_took_and_the_ledger_does_not_know_is_named(database, logs, tmp_path):
    sent(database, logs)
    numbers = [each for each in numbers_of(database) if each != 13800000007]
    log = centre_log(tmp_path, [*numbers, 13800000008, 13800000003])

    assert said(check(database, log)) == [
        "the message centre took a message for 1 number that is not in the ledger: 13800000003",
        "1 number has a message that was accepted, and the message centre has none: 13800000007",
        "the message centre took more for 1 number than was to be sent: 13800000008",
    ]


def test_the_command_prints_it_and_ends_with_1_where_something_differs(app, sqlite, logs, tmp_path):
    sent(sqlite, logs)
    change(sqlite, tables.shards.update().values(state="finished", audience=tables.shards.c.sent + 1))
    log = centre_log(tmp_path, numbers_of(sqlite))
    change(sqlite, tables.shards.update().where(tables.shards.c.number == 1).values(audience=tables.shards.c.sent))

    good = app("report", "a", "--smsc-log", str(log))
    facts = json.loads(app("report", "a", "--json").out)
    bad = app("report", "a", "--smsc-log", str(centre_log(tmp_path, [])))

    assert (good.code, bad.code) == (0, 1)
    assert "yes" in good.out
    assert facts["total"]["states"] == {"accepted": COUNT - 1}
    assert facts["total"]["receipts"] == {"count": 0, "p50_s": None, "p95_s": None}
    assert "39 numbers have messages that were accepted" in " ".join(bad.out.split())


def test_a_campaign_of_logs_has_no_message_centre(app, sqlite, tmp_path):
    trigger(sqlite, "a", SIZE)

    ended = app("report", "a", "--smsc-log", str(tmp_path / "none"))

    ended.assert_refused("no message centre")
