"""`gateways test`: one message by one gateway, after a question, and what becomes of it; it is in no campaign."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.domain.delivery import Delivery
from app.store import accounts, opt_outs, receipts, trials
from app.store.database import writing
from app.store.tables import binds, early_receipts
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import NOW, apply, apply_early, receipt, recorded, states
from tests.integration.smpp.smsc import ROOT, running
from tests.waiting import until

NUMBER = "13800000001"


@pytest.fixture
def centre(tmp_path, gateways):
    """The demo message centre behind the gateway smpp-a, whose faults go by number."""
    with running(tmp_path, "--receipts-after", "0.1", "--by-number") as smsc:
        gateways(centre_at(smsc.port))
        yield smsc


def centre_at(port, more="", *, answers_within_s=20):
    """`answers_within_s` is patience, but for who gets no answer."""
    return (
        f'[smpp-a]\nkind = "smpp"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "sms"\n'
        f'password_env = "SMPP_A_PASSWORD"\nanswer_timeout_s = {answers_within_s}\nrate = 100\n{more}\n'
    )


def one(database, query):
    with database.connect() as connection:
        return connection.execute(query).scalar_one()


def test_the_message_goes_out_and_its_answer_and_receipt_are_shown(app, sqlite, centre):
    ended = app("gateways", "test", "smpp-a", "--to", f"+86 {NUMBER}", "--text", "hello", "--yes")

    ((_, _, to, message_id, _, text),) = centre.submissions()
    assert (ended.code, ended.err, to, text) == (0, "", f"86{NUMBER}", "hello")
    assert "by smpp-a to 138****0001, 1 SMS in GSM-7:\n  hello\naccepted after " in ended.out
    assert f", {message_id}\nits receipt: delivered after " in ended.out
    assert NUMBER not in ended.out and "s3cret" not in ended.out
    assert one(sqlite, sa.select(sa.func.count()).select_from(early_receipts)) == 0


def test_of_several_parts_all_are_waited_for(app, sqlite, centre):
    text = "你好" * 60

    facts = json.loads(app("gateways", "test", "smpp-a", "--to", NUMBER, "--text", text, "--yes", "--json").out)

    assert (facts["parts"], len(facts["provider_ids"]), facts["state"]) == (2, 2, "delivered")
    assert facts["provider_ids"] == [each[3] for each in centre.submissions()]


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        ("01", ["not taken for now after ", "ESME_RTHROTTLED\n"]),
        ("02", ["refused after ", "ESME_RINVDSTADR\n"]),
        ("04", ["unknown after [1-9]", "no_answer\n"]),
        ("10", ["accepted after ", "its receipt: undelivered after ", "undeliverable 001\n"]),
    ],
)
def test_what_does_not_get_there_is_said_and_an_error(app, gateways, centre, suffix, said):
    if suffix == "04":
        gateways(centre_at(centre.port, answers_within_s=1))

    ended = app("gateways", "test", "smpp-a", "--to", f"138009999{suffix}", "--yes")

    assert ended.code == 1
    assert all(re.search(each, ended.out) for each in said), ended.out


@pytest.mark.usefixtures("centre")
def test_where_no_receipt_comes_it_says_so(app):
    ended = app("gateways", "test", "smpp-a", "--to", "13800999913", "--yes", "--wait", "0.5")

    assert (ended.code, "no receipt in 0.5 s" in ended.out) == (0, True)


def test_where_receipts_come_by_another_session_it_says_that_the_server_gets_them(app, gateways, centre):
    gateways(centre_at(centre.port, 'bind = "separate"'))

    ended = app("gateways", "test", "smpp-a", "--to", NUMBER, "--yes", "--wait", "0.5")

    assert (ended.code, "receipts of smpp-a come by its receiver" in ended.out) == (0, True)


def test_nothing_is_sent_where_nobody_agrees_or_the_number_wants_nothing(app, sqlite, centre):
    asked = app("gateways", "test", "smpp-a", "--to", NUMBER)
    with writing(sqlite) as connection:
        opt_outs.add(connection, "-", [int(NUMBER)], "person")

    refused = app("gateways", "test", "smpp-a", "--to", NUMBER, "--yes")

    assert (asked.code, "pass --yes" in asked.err) == (1, True)
    refused.assert_refused("138****0001 wants no messages of smpp-a")
    app("gateways", "test", "other", "--to", NUMBER, "--yes").assert_refused("no gateway is named other", "smpp-a")
    app("gateways", "test", "smpp-a", "--to", "12345", "--yes").assert_refused("12345 is no mobile number")
    assert centre.submissions() == []


def test_it_takes_a_session_of_the_account_and_a_part_of_its_rate(app, sqlite, centre):
    with writing(sqlite) as connection:
        accounts.make_sure(connection, "smpp-a")
        begins = accounts.reserve(connection, "smpp-a", lambda _: 300_000).begins
        slot = accounts.take_bind(connection, "smpp-a", 1, "a campaign")
    ended = app("gateways", "test", "smpp-a", "--to", NUMBER, "--yes")
    assert (ended.code, "all sessions that smpp-a may have (1) send now" in ended.err) == (1, True)
    with writing(sqlite) as connection:
        accounts.give_bind_back(connection, "smpp-a", slot, "a campaign")

    assert app("gateways", "test", "smpp-a", "--to", NUMBER, "--yes").code == 0

    with writing(sqlite) as connection:
        after = accounts.reserve(connection, "smpp-a", lambda _: 0).begins
    assert after - begins >= 0.3 + 0.01
    assert len(centre.submissions()) == 1


def test_ctrl_c_ends_the_waiting_and_lets_the_session_go(sqlite, centre):
    centre.say("set receipts_after 3600")
    command = [sys.executable, "-m", "app", "gateways", "test", "smpp-a", "--to", NUMBER, "--yes", "--wait", "600"]
    environment = {**os.environ, "DATABASE_URL": str(sqlite.url), "PYTHONPATH": str(ROOT), "SMS_LANGUAGE": "en"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(centre.submissions, what="it is submitted")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err == b"not waited for any longer; what was submitted stays sent\n"
    assert one(sqlite, sa.select(binds.c.lease_until_ms)) == 0


def test_its_receipt_is_not_taken_for_that_of_a_message_in_doubt_to_the_same_number(database):
    move_in(database, crowd(10))
    campaign = recorded(database, "a", [Delivery.UNKNOWN])
    long_ago = NOW - receipts.BY_NUMBER_AFTER - timedelta(seconds=1)
    apply(database, receipt(1, provider_id="early", at=long_ago))
    with writing(database) as connection:
        trials.note(connection, "net", ["early", "late"])
    apply(database, receipt(1, provider_id="late", at=long_ago))

    apply_early(database)

    assert states(database, campaign) == [Delivery.UNKNOWN]
    assert one(database, sa.select(sa.func.count()).select_from(early_receipts)) == 0
    with database.connect() as connection:
        assert trials.fate(connection, "net", ["early", "late"]) == (Delivery.DELIVERED, "")
