"""What Aliyun sends to us by itself: on record before it is acknowledged, and from nobody else."""

import json
import urllib.error
import urllib.request
from collections import Counter

import pytest

from app.domain.orders import Outcome
from app.errors import ConfigError
from app.gateways.aliyun.pushed import read
from app.store import opt_outs
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import provider, receive_until, send
from tests.integration.app.test_aliyun import account, states, trigger
from tests.ports import free_port
from tests.words import refused

NAMES = ("phone_number", "send_time", "report_time", "success", "err_code", "err_msg", "sms_size", "biz_id", "out_id")


@pytest.fixture
def aliyun(tmp_path):
    with provider(tmp_path, "LTAIdemo") as running:
        yield running


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def net(aliyun, tmp_path, monkeypatch, port):
    monkeypatch.setenv("NET_LISTEN", "geheim")
    more = f'listen = "127.0.0.1:{port}"\nlisten_secret_env = "NET_LISTEN"\n'
    return account(aliyun, tmp_path, monkeypatch, more=more, every_s=3600)


def post(port, document, secret="geheim"):
    """The status of the answer."""
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{secret}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert isinstance(json.load(answer)["code"], int)
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0  # it does not listen yet


def report(message, *, success=True, out_id=None):
    when = "2017-01-01 00:00:00"
    code, said = ("DELIVERED", "ok") if success else ("MK:0001", "no")
    values = (message.number, when, when, success, code, said, "1", message.id, out_id or message.reference)
    return dict(zip(NAMES, values, strict=True))


def test_receipts_that_are_sent_to_us_are_on_record_once_they_are_acknowledged(sqlite, logs, aliyun, net, port):
    move_in(sqlite, crowd(4))
    campaign = trigger(sqlite, net)
    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE
    first, second, third, _ = aliyun.core.messages
    reports = [report(first), report(second, success=False), report(third, out_id="theirs")]
    found = []

    def acknowledged():
        if post(port, reports) == 200:
            found.append(states(sqlite, campaign))
        return found

    receive_until(sqlite, net, acknowledged)

    assert found[0] == Counter(delivered=1, undelivered=1, accepted=2)


def test_what_we_told_with_a_message_comes_back_with_its_receipt():
    row = {"phone_number": "13800000001", "success": True, "biz_id": "9^0", "out_id": "7-3"}

    (receipt,) = read(json.dumps([row]).encode())

    assert (receipt.provider_id, receipt.reference) == ("9^0/13800000001", "7-3")


def test_a_reply_that_means_no_is_an_opt_out_once_it_is_acknowledged(sqlite, net, port):
    replies = [
        {"phone_number": "13800000001", "content": "td", "send_time": "x", "dest_code": "1", "sequence_id": 1},
        {"phone_number": "8613800000002", "content": "好的", "send_time": "x", "dest_code": "1", "sequence_id": 2},
        {"what": "cannot be read"},
        7,
    ]
    receive_until(sqlite, net, lambda: post(port, replies) == 200)

    with sqlite.connect() as connection:
        assert opt_outs.among(connection, "云通知", [13800000001, 13800000002]) == {13800000001}


def test_who_does_not_know_the_secret_and_what_is_no_news_changes_nothing(sqlite, net, port):
    reply = [{"phone_number": "13800000001", "content": "TD"}]
    statuses = []

    def asked():
        if post(port, []) == 200:
            statuses.extend([
                post(port, reply, "guessed"),
                post(port, b"{"),
                post(port, {"content": "TD"}),
                post(port, [{"phone_number": "x", "content": "TD"}]),
                post(port, [{"phone_number": "13800000001"}]),
            ])  # fmt: skip
        return statuses

    receive_until(sqlite, net, asked)

    assert statuses == [404, 400, 400, 400, 400]
    with sqlite.connect() as connection:
        assert not opt_outs.among(connection, "云通知", [13800000001])


def test_to_listen_needs_a_secret(aliyun, tmp_path, monkeypatch):
    with refused(ConfigError, match="listen needs one of listen_secret_env"):
        account(aliyun, tmp_path, monkeypatch, more='listen = "127.0.0.1:1"\n')
    monkeypatch.delenv("NET_LISTEN", raising=False)
    with refused(ConfigError, match="NET_LISTEN is not set"):
        account(aliyun, tmp_path, monkeypatch, more='listen = "127.0.0.1:1"\nlisten_secret_env = "NET_LISTEN"\n')
