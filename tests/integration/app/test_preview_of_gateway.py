"""`preview --gateway` counts and shows what that gateway really sends."""

import json

import pytest

from app import config
from app.campaigns.preview import preview
from app.domain.reject import Reason
from app.domain.sms_parts import cost
from app.gateways.networks import outgoing
from app.gateways.smpp.submission import Envelope, Submissions
from tests.integration.app.people import move_in, person

FILE = """
[smpp-a]
kind = "smpp"
host = "127.0.0.1"
system_id = "sms"
password_env = "NOBODY_SET_THIS"
signature = "(us) "
max_parts = 3
"""
SEPTETS = 306
"""As many as two parts have with a reference of 8 bits, and two more than with one of 16."""


@pytest.fixture
def one(gateways):
    """The gateway smpp-a, whose password nobody needs."""
    gateways(FILE)


@pytest.mark.usefixtures("one")
def test_parts_are_those_that_are_submitted(sqlite):
    move_in(sqlite, [person(1, "a")])
    by = outgoing(config.load(), "smpp-a")
    template = "{name}" + "a" * (SEPTETS - 1 - len("(us) "))

    (shown,) = preview(sqlite, template, by=by).examples

    assert (shown.text, len(shown.text)) == ("(us) " + "a" * (SEPTETS - 5), SEPTETS)
    assert shown.cost.parts == len(Submissions(Envelope()).bodies("8613800000001", shown.text, 1)) == 3
    assert cost(shown.text).parts == 2


@pytest.mark.usefixtures("one")
def test_without_a_gateway_parts_are_counted_as_most_phones_do_and_with_a_default_one_as_that_does(
    app, sqlite, monkeypatch
):
    move_in(sqlite, [person(1, "a")])
    template = "{name}" + "a" * (SEPTETS - 1 - len("(us) "))
    plain, by_name = [
        json.loads(app("preview", "--json", "--template", template, *more).out)["estimate"]["sms"]
        for more in ([], ["--gateway", "smpp-a"])
    ]
    monkeypatch.setenv("SMS_GATEWAY", "smpp-a")

    by_default = json.loads(app("preview", "--json", "--template", template).out)["estimate"]["sms"]

    assert (plain, by_name, by_default) == (2, 3, 3)
    app("preview", "--gateway", "other").assert_refused("no gateway is named other; there are log, smpp-a")


@pytest.mark.usefixtures("one")
def test_who_gets_a_message_that_is_too_long_is_not_counted_as_greeted(app, sqlite):
    move_in(sqlite, [person(1, "a"), person(2, "王" * 64)])

    facts = json.loads(app("preview", "--json", "--template", "{name}{name}{name}{name}", "--gateway", "smpp-a").out)
    said = app("preview", "--template", "{name}{name}{name}{name}", "--gateway", "smpp-a", "--customer", "2").out

    assert (facts["estimate"]["messages"], facts["estimate"]["rejected"], facts["estimate"]["sms"]) == (1, 1, 1)
    assert facts["examples"][1]["rejected"] == Reason.TOO_LONG
    assert "customer 2 is not greeted: too_long" in said
    assert "SMS in a message: 1 at least, 1.00 on average, 1 at most" in said


@pytest.mark.usefixtures("one")
def test_a_mobile_that_is_masked_is_so_in_the_message_that_goes_out(app, sqlite):
    move_in(sqlite, [person(1, "a")])

    shown = app("preview", "--template", "{mobile} {name}", "--gateway", "smpp-a", "--mask").out

    assert shown.startswith("(us) 138****0001 a\n")
