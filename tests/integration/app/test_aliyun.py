"""Campaigns over Aliyun, by what the demo provider saw on the wire, whose signature it recomputed, and logged."""

import json
import time
from collections import Counter

import pytest

from app.campaigns.start import dispatch
from app.domain.campaign import State, Verb
from app.domain.orders import Outcome
from app.errors import BadRequest
from app.gateways.calls import CallLine
from app.store import campaigns, rejects
from app.store.database import writing
from tests.integration.app.campaigns import as_stored
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import network, provider, receive_until, send
from tests.words import refused

SIZE = 10_000
COUNT = 250
NUMBERS = Counter(f"1380000{number:04d}" for number in range(1, COUNT + 1))
TEXT = "尊敬的{name}{honorific}，您的会员已到期。"


@pytest.fixture
def aliyun(tmp_path):
    with provider(tmp_path, "LTAIdemo") as running:
        yield running


@pytest.fixture
def net(aliyun, tmp_path, monkeypatch):
    return account(aliyun, tmp_path, monkeypatch)


@pytest.fixture
def impatient(aliyun, tmp_path, monkeypatch):
    """The same account, for a test in which no answer comes."""
    return account(aliyun, tmp_path, monkeypatch, answer_s=2)


def account(aliyun, tmp_path, monkeypatch, text=TEXT, more="", every_s=0.2, answer_s=60):
    return network(
        tmp_path,
        monkeypatch,
        f'kind = "aliyun"\naccess_key_id = "LTAIdemo"\nendpoint = "http://127.0.0.1:{aliyun.port}"\n'
        f'signature = "云通知"\nanswer_timeout_s = {answer_s}\nreceipts_every_s = {every_s}\n{more}'
        f'[net.templates.expiry]\ncode = "SMS_1"\ntext = "{text}"\n'
        'parameters = { name = "name", title = "honorific" }\n',
    )


def trigger(database, net, **more):
    return dispatch(
        database, "a", SIZE, gateway="net", networks={"net": net}, allow_duplicates=True, template_name="expiry", **more
    ).campaign


@pytest.fixture
def campaign(sqlite, net):
    move_in(sqlite, crowd(COUNT))
    return trigger(sqlite, net)


def states(database, campaign):
    return Counter(row.state.value for row in rows_of(database, campaign))


def test_everybody_gets_one_message_in_calls_of_a_hundred_and_their_receipt_says_so(
    sqlite, logs, aliyun, net, campaign
):
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"accepted": COUNT}
    assert aliyun.taken == NUMBERS
    assert Counter(aliyun.core.requests) == {"aliyun SendBatchSms": 3}

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"delivered": COUNT})

    check(sqlite, campaign)


def test_a_message_has_its_own_values_the_signature_and_our_id(sqlite, logs, aliyun, net, campaign):
    send(sqlite, logs, campaign, net)

    _, account, _, biz_id, reference, text = next(line for line in aliyun.lines if line[2] == "13800000001")
    assert (account, reference) == ("LTAIdemo", f"{campaign.id}-1")
    name = crowd(1)[0][1]
    assert text.startswith("【云通知】")
    assert json.loads(text.removeprefix("【云通知】"))["name"] == name
    assert rows_of(sqlite, campaign)[0].provider_id == f"{biz_id}/13800000001"
    assert {each.template for each in aliyun.core.messages} == {"SMS_1"}


@pytest.mark.parametrize("fault", ["drop_answer", "half_answer", "error_after"])
def test_a_lost_answer_leaves_its_whole_call_in_doubt_and_our_id_settles_it(
    sqlite, logs, aliyun, impatient, campaign, fault
):
    aliyun.set(**{fault: 1.0})
    assert send(sqlite, logs, campaign, impatient).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"unknown": COUNT}
    assert aliyun.taken == NUMBERS

    receive_until(sqlite, impatient, lambda: states(sqlite, campaign) == {"delivered": COUNT})

    check(sqlite, campaign)


def test_what_another_application_sent_to_the_number_settles_no_doubt(sqlite, logs, aliyun, impatient, campaign):
    aliyun.set(drop_answer=1.0)
    send(sqlite, logs, campaign, impatient)
    for each in aliyun.core.messages:
        each.reference = "theirs"

    asked = len(aliyun.core.requests) + 3 * COUNT
    receive_until(sqlite, impatient, lambda: len(aliyun.core.requests) > asked)

    assert states(sqlite, campaign) == {"unknown": COUNT}


def test_a_call_that_is_refused_for_one_number_is_made_again_without_it(sqlite, logs, aliyun, net, campaign):
    aliyun.core.refuses.add("13800000042")

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert states(sqlite, campaign) == {"accepted": COUNT - 1, "refused": 1}
    assert rows_of(sqlite, campaign)[41].error == "isv.MOBILE_NUMBER_ILLEGAL"
    assert aliyun.taken == NUMBERS - Counter(["13800000042"])


@pytest.mark.parametrize("code", ["isv.AMOUNT_NOT_ENOUGH", "isv.SMS_TEMPLATE_ILLEGAL", "isv.SMS_SIGNATURE_ILLEGAL"])
def test_what_is_our_fault_stops_the_campaign_with_the_providers_sentence_and_resume_goes_on(
    sqlite, logs, aliyun, net, campaign, code
):
    aliyun.set(fault=code)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    failed = as_stored(sqlite, campaign)
    assert failed.state is State.FAILED
    assert code in str(failed.reason)
    assert aliyun.lines == []
    check(sqlite, campaign)

    aliyun.set(fault="")
    with writing(sqlite) as connection:
        assert campaigns.change(connection, campaign.id, Verb.RESUME)
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    assert aliyun.taken == NUMBERS
    assert {row.attempts for row in rows_of(sqlite, campaign)} == {1}
    check(sqlite, campaign)


def test_a_wrong_secret_stops_the_campaign(sqlite, logs, aliyun, net, campaign):
    aliyun.core.secret = "another"

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    assert "SignatureDoesNotMatch" in str(as_stored(sqlite, campaign).reason)
    assert aliyun.lines == []


def test_who_is_too_fast_slows_down_and_everybody_gets_it_once(sqlite, logs, aliyun, net, campaign):
    aliyun.set(throttle_after=150)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert aliyun.taken == NUMBERS
    assert {row.attempts for row in rows_of(sqlite, campaign)} == {1}


def test_a_value_that_the_provider_would_refuse_is_a_reject(sqlite, logs, aliyun, net):
    people = crowd(6)
    for place, name in enumerate(["【王】", "见 www.example.com", "长" * 36, "http://a"]):
        people[place] = (people[place][0], name, *people[place][2:])
    move_in(sqlite, people)
    campaign = trigger(sqlite, net)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    with sqlite.connect() as connection:
        found = {each.customer_id: each.reason.value for each in rejects.between(connection, campaign.id, 0, 0, SIZE)}
    assert found == dict.fromkeys(range(1, 5), "bad_value")
    assert sum(aliyun.taken.values()) == 2
    check(sqlite, campaign)


def test_parts_are_counted_with_the_signature_at_70_and_67(sqlite, logs, aliyun, tmp_path, monkeypatch):
    move_in(sqlite, [(1, "王", 1, "13800000001"), (2, "王王", 1, "13800000002")])
    text = "长" * (70 - len("【云通知】") - len("王先生")) + "{name}{honorific}"
    net = account(aliyun, tmp_path, monkeypatch, text)
    campaign = trigger(sqlite, net)

    send(sqlite, logs, campaign, net)

    assert [row.parts for row in rows_of(sqlite, campaign)] == [1, 2]


def test_a_rate_holds_for_the_messages_of_calls(sqlite, logs, aliyun, tmp_path, monkeypatch):
    move_in(sqlite, crowd(COUNT))
    net = account(aliyun, tmp_path, monkeypatch, more="rate = 100\n")
    campaign = trigger(sqlite, net)
    real, at = CallLine.submit, []

    def submit(line, submissions):
        at.extend([time.monotonic()] * len(submissions))  # when they leave; how long the calls take is their thing
        real(line, submissions)

    monkeypatch.setattr(CallLine, "submit", submit)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    most = max(sum(begin <= each < begin + 1 for each in at) for begin in at)
    assert most <= 120  # a call that was not full may come beside those of the second
    assert len([each for each in aliyun.core.requests if each == "aliyun SendBatchSms"]) <= 60
    assert aliyun.taken == NUMBERS


def test_a_template_is_named_at_the_trigger_and_fixed_with_its_text(sqlite, logs, aliyun, net, tmp_path, monkeypatch):
    move_in(sqlite, crowd(2))
    for wrong, why in (
        ({"template": "hello"}, "sends approved templates alone"),
        ({}, "sends approved templates alone; name one: expiry"),
        ({"template_name": "spring"}, "name one: expiry"),
        ({"template": "hello", "template_name": "expiry"}, "given twice"),
    ):
        with refused(BadRequest, match=why):
            dispatch(sqlite, "a", SIZE, gateway="net", networks={"net": net}, **wrong)

    campaign = trigger(sqlite, net)

    assert (campaign.template, campaign.template_name) == (TEXT, "expiry")
    assert not dispatch(sqlite, "a", SIZE, networks={"net": net}, template_name="expiry").created
    with refused(BadRequest, match="another"):
        dispatch(sqlite, "a", SIZE, networks={"net": net}, template_name="spring")
    changed = account(aliyun, tmp_path, monkeypatch, "您好{name}{honorific}")
    report = send(sqlite, logs, campaign, changed)
    assert report.outcome is Outcome.BLOCKED
    assert "template_changed" in report.reason
