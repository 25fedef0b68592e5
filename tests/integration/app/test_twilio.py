"""Campaigns over Twilio, by what the demo provider saw on the wire and logged."""

import ssl
from collections import Counter
from datetime import timedelta

import pytest

from app.domain.campaign import State
from app.domain.orders import Outcome
from examples.provider_core import Options
from tests.certificates import issue
from tests.integration.app.campaigns import as_stored, trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import SID, network, provider, receive_until, send

SIZE = 10_000
NUMBERS = Counter(f"+861380000{number:04d}" for number in range(1, 31))


@pytest.fixture
def twilio(tmp_path):
    with provider(tmp_path, SID) as running:
        yield running


@pytest.fixture
def net(twilio, tmp_path, monkeypatch):
    return account(twilio, tmp_path, monkeypatch)


@pytest.fixture
def impatient(twilio, tmp_path, monkeypatch):
    """The same account, for a test in which no answer comes."""
    return account(twilio, tmp_path, monkeypatch, answer_s=1)


def account(twilio, tmp_path, monkeypatch, more="", scheme="http", answer_s=60):
    text = f'kind = "twilio"\naccount_sid = "{SID}"\nendpoint = "{scheme}://127.0.0.1:{twilio.port}"\n'
    text += f'source = "+15550001111"\nanswer_timeout_s = {answer_s}\nreceipts_every_s = 0.2\n'
    return network(tmp_path, monkeypatch, text + more)


@pytest.fixture
def campaign(sqlite):
    move_in(sqlite, crowd(30))
    return trigger(sqlite, "a", SIZE, gateway="net")


def states(database, campaign):
    return Counter(row.state.value for row in rows_of(database, campaign))


def errors(database, campaign):
    return {row.error for row in rows_of(database, campaign)}


def test_everybody_gets_one_message_and_their_receipt_says_so(sqlite, logs, twilio, net, campaign):
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"accepted": 30}
    assert twilio.taken == NUMBERS
    assert {line[2][-11:]: line[5] for line in twilio.lines}["13800000001"].startswith("尊敬的手机号为13800000001的")

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"delivered": 30})

    check(sqlite, campaign)


def test_a_message_that_did_not_arrive_has_the_providers_code(sqlite, logs, twilio, net, campaign):
    twilio.set(undelivered=1.0)
    send(sqlite, logs, campaign, net)

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"undelivered": 30})

    assert errors(sqlite, campaign) == {"30005"}


def test_our_own_id_goes_with_each_message(sqlite, logs, twilio, tmp_path, monkeypatch, campaign):
    net = account(twilio, tmp_path, monkeypatch, 'status_callback = "https://example.com/twilio"\n')

    send(sqlite, logs, campaign, net)

    assert {line[4] for line in twilio.lines} == {f"{campaign.id}-1-{number}" for number in range(1, 31)}


def test_a_list_that_cannot_be_had_is_asked_for_again(sqlite, logs, twilio, net, campaign):
    send(sqlite, logs, campaign, net)
    twilio.set(list_fails=3)

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"delivered": 30})

    assert twilio.core.options.list_fails == 0


@pytest.mark.parametrize("fault", ["drop_answer", "half_answer", "error_after"])
def test_a_message_whose_answer_is_lost_is_in_doubt_and_settled_by_its_receipt(
    sqlite, logs, twilio, impatient, campaign, fault, monkeypatch
):
    twilio.set(**{fault: 1.0})
    assert send(sqlite, logs, campaign, impatient).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"unknown": 30}
    assert twilio.taken == NUMBERS
    monkeypatch.setattr("app.store.receipts.BY_NUMBER_AFTER", timedelta(0))

    receive_until(sqlite, impatient, lambda: states(sqlite, campaign) == {"delivered": 30})

    check(sqlite, campaign)


def test_what_the_provider_refuses_is_refused_with_its_code(sqlite, logs, twilio, net, campaign):
    twilio.set(refuse=1.0)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert (states(sqlite, campaign), errors(sqlite, campaign)) == ({"refused": 30}, {"21614"})


def test_who_is_too_fast_slows_down_and_everybody_gets_it_once(sqlite, logs, twilio, net, campaign):
    twilio.set(throttle_after=10)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert twilio.taken == NUMBERS
    assert {row.attempts for row in rows_of(sqlite, campaign)} == {1}


@pytest.mark.parametrize("code", ["20003", "21606"])
def test_what_is_wrong_with_the_account_stops_the_campaign_with_the_providers_sentence(
    sqlite, logs, twilio, net, campaign, code
):
    twilio.set(fault=code)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    failed = as_stored(sqlite, campaign)
    assert failed.state is State.FAILED
    assert f"{code}: " in str(failed.reason)
    assert twilio.lines == []
    assert set(states(sqlite, campaign)) == {"retry"}
    assert {row.attempts for row in rows_of(sqlite, campaign)} == {0}
    check(sqlite, campaign)


def test_a_wrong_secret_stops_the_campaign(sqlite, logs, twilio, net, campaign):
    twilio.core.secret = "another"

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    assert "20003" in str(as_stored(sqlite, campaign).reason)


def test_a_provider_that_cannot_be_reached_leaves_nobody_in_doubt(sqlite, logs, twilio, net, campaign):
    twilio.stop_listening()

    report = send(sqlite, logs, campaign, net)

    assert report.outcome is Outcome.BLOCKED
    assert "cannot be reached" in report.reason or "gateway_unreachable" in report.reason
    assert states(sqlite, campaign) == {}


def test_a_certificate_that_is_not_trusted_leaves_nobody_in_doubt(sqlite, logs, tmp_path, monkeypatch, campaign):
    ours, other = issue(tmp_path, "ours"), issue(tmp_path, "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(ours.cert_file, ours.key_file)
    with provider(tmp_path, SID, options=Options(receipts_after=0), tls=tls) as running:
        wrong = account(running, tmp_path, monkeypatch, f'tls_ca = "{other.cert_file}"\n', scheme="https")
        right = account(running, tmp_path, monkeypatch, f'tls_ca = "{ours.cert_file}"\n', scheme="https")

        assert send(sqlite, logs, campaign, wrong).outcome is Outcome.BLOCKED
        assert states(sqlite, campaign) == {}
        assert send(sqlite, logs, campaign, right).outcome is Outcome.COMPLETE

        assert running.taken == NUMBERS


def test_connections_are_kept(sqlite, logs, twilio, net, campaign):
    send(sqlite, logs, campaign, net)

    assert twilio.connections <= 10 + 1  # the window's, and one to see whether it can be reached
