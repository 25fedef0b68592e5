"""`preview --template-name`: an approved template with its values, parts and cost, as a trigger has it."""

import json

import pytest

from app.campaigns.spending import Spending
from app.campaigns.start import dispatch
from app.config import load
from app.domain.reject import Reason
from app.errors import BadRequest
from app.gateways.networks import load_networks
from tests.integration.app.people import move_in, person

FILE = """
[net]
kind = "aliyun"
access_key_id = "LTAIdemo"
secret_env = "NET_SECRET"
signature = "云通知"
price = 0.05

[net.templates.expiry]
code = "SMS_1"
text = "尊敬的{name}，您的会员已到期。"

[net.templates.other]
code = "SMS_2"
text = "您好{name}"
signature = "别的签名"

[plain]
kind = "smpp"
host = "127.0.0.1"
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
"""
PEOPLE = [person(1, "张伟"), person(2, "www.a.com"), person(3, "【王】"), person(4, "李" * 60), person(5, "王芳")]
"""Three of them have values that are refused: a link, brackets, and too many letters."""


@pytest.fixture(autouse=True)
def five(gateways, sqlite, monkeypatch):
    monkeypatch.setenv("NET_SECRET", "secret")
    gateways(FILE)
    move_in(sqlite, PEOPLE)


def test_messages_are_shown_with_the_signature_and_bad_values_are_not_greeted(app):
    shown = json.loads(app("preview", "--gateway", "net", "--template-name", "expiry", "--json").out)
    said = app("preview", "--gateway", "net", "--template-name", "expiry", "--customer", "2").out

    first, middle, last = shown["examples"]
    assert (first["text"], first["sms"]) == ("【云通知】尊敬的张伟，您的会员已到期。", 1)
    assert (middle["rejected"], last["text"][:9]) == (Reason.BAD_VALUE, "【云通知】尊敬的王")
    facts = shown["estimate"]
    assert (facts["messages"], facts["rejected"], facts["sms"], facts["cost"]["sum"]) == (2, 3, 2, "0.10")
    assert "customer 2 is not greeted: bad_value" in said


def test_a_template_with_a_signature_of_its_own_is_shown_with_that(app):
    shown = json.loads(app("preview", "--gateway", "net", "--template-name", "other", "--json").out)

    assert shown["examples"][0]["text"] == "【别的签名】您好张伟"


def test_a_mobile_in_a_template_is_masked(app, gateways):
    gateways(FILE.replace("尊敬的{name}", "尊敬的{mobile}"))

    shown = app("preview", "--gateway", "net", "--template-name", "expiry", "--mask").out

    assert "【云通知】尊敬的138****0001，" in shown
    assert "13800000001" not in shown


def test_the_trigger_asks_for_what_the_preview_showed(app, sqlite):
    shown = json.loads(app("preview", "--gateway", "net", "--template-name", "expiry", "--json").out)

    with pytest.raises(BadRequest) as told:
        dispatch(
            sqlite, "a", 10, gateway="net", template_name="expiry", networks=load_networks(load()),
            spending=Spending(0.0),
        )  # fmt: skip

    assert told.value.sentence.facts["parts"] == shown["estimate"]["sms"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gateway", "net"], "sends approved templates alone; name one: expiry, other"),
        (["--gateway", "net", "--template", "{name}"], "sends approved templates alone; name one: expiry, other"),
        (["--gateway", "net", "--template-name", "none"], "sends approved templates alone; name one: expiry, other"),
        (["--gateway", "plain", "--template-name", "expiry"], "has no templates by name"),
        (["--template-name", "expiry"], "has no templates by name"),
        (["--gateway", "net", "--template", "x", "--template-name", "expiry"], "the message is given twice"),
    ],
)
def test_what_a_trigger_would_refuse_a_preview_refuses(app, options, said):
    app("preview", *options).assert_refused(said)
