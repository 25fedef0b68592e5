"""Campaigns over Tencent Cloud, by what the demo provider saw on the wire, signature recomputed, and logged."""

from collections import Counter
from datetime import timedelta

import pytest

from app.campaigns.start import dispatch
from app.domain.campaign import State
from app.domain.orders import Outcome
from app.store import opt_outs
from examples.provider_core import Upward
from tests.integration.app.campaigns import as_stored
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import network, provider, receive_until, send

SIZE = 10_000
COUNT = 250
NUMBERS = Counter(f"+861380000{number:04d}" for number in range(1, COUNT + 1))


@pytest.fixture
def tencent(tmp_path):
    with provider(tmp_path, "AKIDdemo") as running:
        yield running


@pytest.fixture
def net(tencent, tmp_path, monkeypatch):
    return account(tencent, tmp_path, monkeypatch)


@pytest.fixture
def impatient(tencent, tmp_path, monkeypatch):
    """The same account, for a test in which no answer comes."""
    return account(tencent, tmp_path, monkeypatch, answer_s=2)


def account(tencent, tmp_path, monkeypatch, text="您的会员已到期。", parameters="[]", answer_s=60):
    return network(
        tmp_path,
        monkeypatch,
        f'kind = "tencent"\nsecret_id = "AKIDdemo"\napp_id = "1400006666"\nsignature = "云通知"\n'
        f'endpoint = "http://127.0.0.1:{tencent.port}"\nanswer_timeout_s = {answer_s}\nreceipts_every_s = 0.2\n'
        f'[net.templates.expiry]\ncode = "1110"\ntext = "{text}"\nparameters = {parameters}\n',
    )


def trigger(database, net):
    return dispatch(
        database, "a", SIZE, gateway="net", networks={"net": net}, allow_duplicates=True, template_name="expiry"
    ).campaign


@pytest.fixture
def campaign(sqlite, net):
    move_in(sqlite, crowd(COUNT))
    return trigger(sqlite, net)


def states(database, campaign):
    return Counter(row.state.value for row in rows_of(database, campaign))


def sends(tencent):
    return tencent.core.requests.count("tencent SendSms")


def test_everybody_gets_one_message_in_calls_of_two_hundred_and_their_receipt_says_so(
    sqlite, logs, tencent, net, campaign
):
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"accepted": COUNT}
    assert tencent.taken == NUMBERS
    assert sends(tencent) == 2
    assert {line[4] for line in tencent.lines} == {f"{campaign.id}-1"}

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"delivered": COUNT})

    check(sqlite, campaign)


def test_values_of_each_ones_own_go_in_calls_of_their_own(sqlite, logs, tencent, tmp_path, monkeypatch):
    move_in(sqlite, crowd(20))
    net = account(tencent, tmp_path, monkeypatch, "尊敬的{name}{honorific}", '["name", "honorific"]')
    campaign = trigger(sqlite, net)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert sends(tencent) == 20
    name = crowd(1)[0][1]
    assert any(line[2] == "+8613800000001" and f'["{name}", "' in line[5] for line in tencent.lines)


def test_forms_of_address_make_one_call_each(sqlite, logs, tencent, tmp_path, monkeypatch):
    people = [(number, name, number % 2, mobile) for number, name, _, mobile in crowd(COUNT)]
    move_in(sqlite, people)
    net = account(tencent, tmp_path, monkeypatch, "尊敬的{honorific}", '["honorific"]')
    campaign = trigger(sqlite, net)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert sends(tencent) == 2
    assert tencent.taken == NUMBERS


def test_two_customers_of_one_number_have_an_id_each(sqlite, logs, tencent, net):
    move_in(sqlite, [(number, "张伟", 1, "13800000001") for number in range(1, 4)])
    campaign = trigger(sqlite, net)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert tencent.taken == {"+8613800000001": 3}
    assert len({row.provider_id for row in rows_of(sqlite, campaign)}) == 3


def test_each_number_has_a_status_of_its_own(sqlite, logs, tencent, net, campaign):
    tencent.core.refuses.add("+8613800000042")

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert states(sqlite, campaign) == {"accepted": COUNT - 1, "refused": 1}
    assert rows_of(sqlite, campaign)[41].error == "InvalidParameterValue.IncorrectPhoneNumber"
    assert sends(tencent) == 2


@pytest.mark.parametrize("fault", ["drop_answer", "half_answer", "error_after"])
def test_a_lost_answer_leaves_its_whole_call_in_doubt_and_the_queue_settles_it(
    sqlite, logs, tencent, impatient, campaign, fault, monkeypatch
):
    tencent.set(**{fault: 1.0})
    assert send(sqlite, logs, campaign, impatient).outcome is Outcome.COMPLETE
    assert states(sqlite, campaign) == {"unknown": COUNT}
    assert tencent.taken == NUMBERS
    monkeypatch.setattr("app.store.receipts.BY_NUMBER_AFTER", timedelta(0))

    receive_until(sqlite, impatient, lambda: states(sqlite, campaign) == {"delivered": COUNT})

    check(sqlite, campaign)


def test_what_comes_back_of_another_campaign_settles_none_in_doubt(
    sqlite, logs, tencent, impatient, campaign, monkeypatch
):
    tencent.set(drop_answer=1.0)
    send(sqlite, logs, campaign, impatient)
    tencent.core.messages[0].reference = f"{campaign.id + 1}-1"
    monkeypatch.setattr("app.store.receipts.BY_NUMBER_AFTER", timedelta(0))

    receive_until(sqlite, impatient, lambda: states(sqlite, campaign)["delivered"] >= COUNT - 1)

    assert states(sqlite, campaign) == {"delivered": COUNT - 1, "unknown": 1}


def test_what_was_pulled_and_never_recorded_is_asked_for_by_number(sqlite, logs, tencent, net, campaign):
    send(sqlite, logs, campaign, net)
    for each in tencent.core.messages:
        each.is_pulled = True  # by a receiver that died before its commit

    receive_until(sqlite, net, lambda: states(sqlite, campaign) == {"delivered": COUNT})

    check(sqlite, campaign)


@pytest.mark.parametrize(
    "code", ["FailedOperation.InsufficientBalanceInSmsPackage", "FailedOperation.TemplateUnapprovedOrNotExist"]
)
def test_what_is_our_fault_stops_the_campaign_with_the_providers_sentence(sqlite, logs, tencent, net, campaign, code):
    tencent.set(fault=code)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    failed = as_stored(sqlite, campaign)
    assert failed.state is State.FAILED
    assert f"{code}: refused by option" in str(failed.reason)
    assert tencent.lines == []
    check(sqlite, campaign)


def test_a_wrong_secret_stops_the_campaign(sqlite, logs, tencent, net, campaign):
    tencent.core.secret = "another"

    assert send(sqlite, logs, campaign, net).outcome is Outcome.FAILED

    assert "AuthFailure.SignatureFailure" in str(as_stored(sqlite, campaign).reason)
    assert tencent.lines == []


def test_who_is_too_fast_slows_down_and_everybody_gets_it_once(sqlite, logs, tencent, net, campaign):
    tencent.set(throttle_after=210)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert tencent.taken == NUMBERS


def test_a_reply_that_means_no_is_an_opt_out(sqlite, logs, tencent, net):
    move_in(sqlite, crowd(3))
    tencent.core.replies += [Upward.now("13800000002", "ＴＤ"), Upward.now("13800000003", "谢谢")]

    def opted_out():
        with sqlite.connect() as connection:
            return opt_outs.among(connection, "云通知", [13800000001, 13800000002, 13800000003])

    receive_until(sqlite, net, lambda: opted_out() == {13800000002})

    campaign = trigger(sqlite, net)
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    assert set(tencent.taken) == {"+8613800000001", "+8613800000003"}
