"""`gateways`: which accounts there are, and how many of their sessions send now."""

import json

import pytest

from app.store import accounts
from app.store.database import writing

FILE = """
[smpp-a]
kind = "smpp"
host = "127.0.0.1"
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
binds = 3
rate = 500
"""


@pytest.fixture
def file(gateways):
    gateways(FILE)


def test_sessions_that_send_are_counted_until_they_are_given_back(database):
    with writing(database) as connection:
        first = accounts.take_bind(connection, "smpp-a", 3, "one")
        accounts.take_bind(connection, "smpp-a", 3, "two")
        assert accounts.binds_in_use(connection) == {"smpp-a": 2}

        accounts.give_bind_back(connection, "smpp-a", first, "one")
        assert accounts.binds_in_use(connection) == {"smpp-a": 1}


@pytest.mark.usefixtures("file")
def test_an_account_is_shown_without_its_secret(app, sqlite):
    with writing(sqlite) as connection:
        accounts.take_bind(connection, "smpp-a", 3, "one")

    shown, facts = app("gateways").out, app("gateways", "--json").out

    assert all(each in shown for each in ("smpp-a", "127.0.0.1:2775", "500", "1/3", "transceiver"))
    assert (json.loads(facts)[0]["binds_in_use"], json.loads(facts)[0]["rate"]) == (1, 500)
    assert "s3cret" not in shown + facts


@pytest.mark.usefixtures("chinese", "file")
def test_it_speaks_chinese(app):
    assert "在用会话" in app("gateways").out


def test_where_there_is_none_it_says_so(app):
    assert app("gateways").out.startswith("SMS_GATEWAYS names no file")
