"""`find`: what became of somebody's messages, in ledgers and in logs."""

import json

import pytest
import sqlalchemy as sa

from app.audit.find_messages import in_ledgers
from app.domain.delivery import Delivery
from app.store.database import writing
from app.store.tables import messages
from tests.integration.app.campaigns import run
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger_command import intend
from tests.integration.app.test_receipts import recorded

STATES = [Delivery.ACCEPTED, Delivery.UNKNOWN, Delivery.REFUSED, Delivery.ACCEPTED]


@pytest.fixture
def both(database, logs):
    """A campaign to logs and one to a network, in which customer 7 is under way and 8 has no number."""
    move_in(database, [*crowd(7), (8, "张伟", 1, "")])
    run(database, logs, "first", 100)
    campaign = recorded(database, "second", STATES)
    with writing(database) as connection:
        connection.execute(sa.update(messages).values(mobile=13800000000 + messages.c.customer_id))
    return campaign


def seen(found):
    return [(each.campaign.name, each.row.state if each.row else each.reject) for each in found]


@pytest.mark.usefixtures("both")
def test_a_ledger_is_asked_by_number_or_by_customer(database):
    assert seen(in_ledgers(database, mobile=13800000002, customer_id=None)) == [("second", Delivery.UNKNOWN)]
    assert seen(in_ledgers(database, mobile=None, customer_id=3)) == [("second", Delivery.REFUSED)]
    assert seen(in_ledgers(database, mobile=None, customer_id=8)) == [("first", "no_mobile")]


def test_who_is_under_way_is_found_too(sqlite):
    move_in(sqlite, crowd(9))
    intend(sqlite, recorded(sqlite, "a", STATES), [7])

    assert seen(in_ledgers(sqlite, mobile=13800000007, customer_id=None)) == [("a", Delivery.SUBMITTING)]


def test_the_command_looks_into_logs_as_well_and_says_what_it_reads(app, sqlite, logs):
    move_in(sqlite, crowd(5))
    run(sqlite, logs, "first", 100)
    recorded(sqlite, "second", STATES)

    ended = app("find", "--customer", "2")

    assert ended.out.startswith("second: customer 2, by net: unknown 20")
    assert ended.out.endswith("first: 1 line in its logs\n")
    assert "MB of logs" in ended.err
    assert [each["lines"] for each in json.loads(app("find", "138 0000 0002", "--json").out)] == [1]


def test_nobody_is_said_to_be_nobody(app, sqlite):
    assert app("find", "13800000009").out == "nothing is on record\n"
    app("find", "--customer", "9").assert_refused("no customer has the id 9")
    app("find", "1380").assert_refused("is no mobile number")


@pytest.mark.usefixtures("chinese")
def test_it_speaks_chinese(app):
    assert app("find", "13800000009").out == "没有记录\n"
