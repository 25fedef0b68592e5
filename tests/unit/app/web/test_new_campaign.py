"""A campaign is started by a form: what it would come to, what is wrong with it, and its start."""

import re

import pytest

from app.domain.actor import Deed
from app.domain.campaign import State
from app.store import campaigns as rows
from app.store import trail
from app.web.drafts import number_in
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_cost import FILE as PRICED
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, log_in

FILE = f"""{PRICED}
[named]
kind = "aliyun"
access_key_id = "LTAIdemo"
secret_env = "SMPP_A_PASSWORD"
signature = "云通知"

[named.templates.expiry]
code = "SMS_1"
text = "尊敬的{{name}}，您的会员已到期。"
"""


@pytest.fixture
def operator(client, accounts):
    move_in(accounts, [*crowd(8), (9, "王芳", 0, "")])
    log_in(client, "operator")
    return client


@pytest.fixture
def with_gateways(operator, tmp_path, monkeypatch):
    (tmp_path / "gateways.toml").write_text(FILE)
    monkeypatch.setenv("SMPP_A_PASSWORD", "secret")
    changes = {"sms_gateways": tmp_path / "gateways.toml", "sms_ask_above": 0.1}
    house = operator.app.state.house
    monkeypatch.setattr(house, "settings", house.settings.model_copy(update=changes))
    return operator


def send(client, **fields):
    draft = {"name": "spring", "template": "{name}，您好", "gateway": "log", "audience": "customers"} | fields
    return client.post("/new", data=draft, headers=OURS, follow_redirects=False)


def look(client, **fields):
    draft = {"template": "{name}，您好", "gateway": "log", "audience": "customers"} | fields
    return client.post("/new/preview", data=draft, headers=OURS)


def found(database, name="spring"):
    with database.connect() as connection:
        return rows.find(connection, name)


def test_a_campaign_is_started_and_one_is_led_to_its_page(operator, accounts):
    answer = send(operator)

    assert (answer.status_code, answer.headers["location"]) == (303, "/campaigns/spring")
    campaign = found(accounts)
    assert (campaign.state, campaign.template, campaign.gateway) == (State.RUNNING, "{name}，您好", "log")
    assert not campaign.allow_duplicates
    assert "spring has begun: 1 task" in text_of(operator.get("/campaigns/spring"))
    with accounts.connect() as connection:
        (entry,) = [each for each in trail.newest(connection, 9) if each.deed == Deed.START]
    assert (entry.who, entry.via, entry.campaign) == ("operator", "pages", "spring")


def test_a_double_click_starts_one(operator, accounts):
    first, second = send(operator), send(operator)

    assert (first.status_code, second.status_code) == (303, 303)
    assert "spring already exists and is running; nothing was started" in text_of(operator.get("/campaigns/spring"))


def test_a_sample_and_duplicates_are_as_they_were_chosen(operator, accounts):
    send(operator, sample="3", duplicates="on")

    campaign = found(accounts)
    assert (campaign.chosen, campaign.allow_duplicates) == ("sample 3", True)


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"name": "a/b"}, "name", "a campaign's name is 1 to 64 letters"),
        ({"name": ""}, "name", "a campaign's name is 1 to 64 letters"),
        ({"template": "{nme}"}, "template", "unknown placeholder {nme}"),
        ({"template": ""}, "template", "the template is empty"),
        ({"template": "a\r\nb"}, "template", "the template has a line break"),
        ({"audience": "nobody"}, "audience", "there is no table or view nobody"),
        ({"audience": "users"}, "audience", "users is a table in which campaigns are kept"),
        ({"gateway": "carrier-pigeon"}, "gateway", "no gateway is named carrier-pigeon"),
        ({"sample": "0"}, "sample", "a sample is a number from 1"),
        ({"sample": "many"}, "sample", "a sample is a number from 1"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(operator, accounts, fields, field, why):
    answer = send(operator, **{"name": "spring"} | fields)

    assert answer.status_code == 400
    assert why in re.search(rf'id="{field}-wrong">([^<]+)<', answer.text)[1].replace("&#39;", "'")
    assert f'aria-describedby="{field}-wrong"' in answer.text
    assert 'value="customers"' in answer.text or "audience" in fields
    assert found(accounts) is None


def test_a_name_that_is_taken_by_another_text_is_refused_beside_the_name(operator):
    send(operator)

    answer = send(operator, template="{name}!")

    assert answer.status_code == 409
    assert 'id="name-wrong">this name is already used for a different message' in answer.text


def test_what_somebody_typed_is_shown_and_not_run(operator):
    answer = send(operator, name='"><script>alert(1)</script>', template="</textarea><script>alert(1)</script>")

    assert "<script>alert" not in answer.text


# ── what it would come to ───────────────────────────────────────────────────────────────────────


def test_a_preview_shows_messages_and_what_all_come_to(operator):
    shown = text_of(look(operator))

    assert "，您好 customer 1: 1 SMS, UCS-2" in shown
    assert "9 audience · 1 rejected · 8 messages · 8 SMS" in shown
    assert "<html" not in look(operator).text


def test_a_preview_masks_numbers(operator):
    assert not re.search(r"1[3-9]\d{9}", look(operator, template="{mobile}").text)


def test_a_preview_of_a_sample_is_of_so_many(operator):
    assert "3 audience · about 0 rejected · about 3 messages" in text_of(look(operator, sample="3"))


@pytest.mark.parametrize(
    ("template", "said"), [("{nme}", "unknown placeholder {nme}"), ("hello", "everybody gets the same text")]
)
def test_a_preview_says_what_is_wrong_or_doubtful(operator, template, said):
    answer = look(operator, template=template)

    assert answer.status_code == 200
    assert said in text_of(answer)


def test_without_scripts_a_button_shows_the_preview_and_nothing_is_started(operator, accounts):
    answer = send(operator, look="1")

    assert (answer.status_code, found(accounts)) == (200, None)
    assert "9 audience · 1 rejected" in text_of(answer)
    assert 'value="spring"' in answer.text


def test_a_preview_by_a_gateway_tells_its_price(with_gateways):
    assert "8 SMS · 0.28 CNY" in text_of(look(with_gateways, gateway="net"))


# ── what has to be agreed to ────────────────────────────────────────────────────────────────────


def test_what_costs_more_than_is_usual_is_started_once_its_number_is_typed(with_gateways, accounts):
    asked = send(with_gateways, gateway="net")
    mistyped = send(with_gateways, gateway="net", **hidden(asked), confirm="80000")
    assert (asked.status_code, mistyped.status_code) == (409, 400)
    assert "spring comes to about 8 SMS by net, 0.28 CNY" in text_of(asked)
    assert "to agree, type 8" in text_of(mistyped)
    assert found(accounts) is None

    answer = send(with_gateways, gateway="net", **hidden(mistyped), confirm=" 8 ")

    assert answer.status_code == 303
    assert found(accounts).gateway == "net"


def hidden(answer):
    """What the form says by itself of what was asked."""
    return dict(re.findall(r'type="hidden" name="(asked\w*)" value="(\w+)"', answer.text))


@pytest.mark.parametrize("change", [{"template": "您好，{name}"}, {"duplicates": "on"}, {"sample": "8"}])
def test_who_agreed_to_one_draft_agreed_to_no_other(with_gateways, accounts, change):
    agreed = hidden(send(with_gateways, gateway="net")) | {"confirm": "8"}

    assert send(with_gateways, gateway="net", **agreed, **change).status_code == 409
    assert found(accounts) is None


def test_who_agreed_to_a_price_agreed_to_no_other(with_gateways, accounts, tmp_path):
    agreed = hidden(send(with_gateways, gateway="net")) | {"confirm": "8"}
    (tmp_path / "gateways.toml").write_text(FILE.replace("price = 0.035", "price = 99"))

    assert "792.00 CNY" in text_of(send(with_gateways, gateway="net", **agreed))
    assert found(accounts) is None


def test_who_agreed_to_less_is_asked_again(with_gateways, accounts):
    agreed = hidden(send(with_gateways, gateway="net")) | {"confirm": "8"}
    move_in(accounts, crowd(16))

    answer = send(with_gateways, gateway="net", **agreed)

    assert answer.status_code == 409
    assert 'name="asked" value="16"' in answer.text
    assert found(accounts) is None


def test_a_gateway_that_sends_approved_templates_alone_sends_one_of_them(with_gateways, accounts):
    form = with_gateways.get("/new").text
    nothing = send(with_gateways, gateway="named")
    shown = look(with_gateways, gateway="named", template_name="expiry")
    answer = send(with_gateways, gateway="named", template_name="expiry")

    assert re.search(r'<optgroup label="named">\s*<option>expiry</option>', form)
    assert 'id="template_name-wrong"' in nothing.text
    assert "您的会员已到期" in shown.text
    assert answer.status_code == 303
    assert found(accounts).template_name == "expiry"


# ── who may ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ["viewer", "nobody yet"])
def test_who_may_not_start_anything_has_no_link_and_is_refused(client, database, request, role):
    if role == "viewer":
        request.getfixturevalue("accounts")
        log_in(client, "viewer")

    answers = [client.get("/new"), send(client), look(client)]

    assert {each.status_code for each in answers} == {403}
    assert 'href="/new"' not in client.get("/").text
    assert found(database) is None


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}])
@pytest.mark.parametrize("path", ["/new", "/new/preview"])
def test_a_form_of_somebody_elses_page_starts_nothing(operator, accounts, path, headers):
    answer = operator.post(path, data={"name": "spring", "template": "{name}"}, headers=headers)

    assert answer.status_code == 403
    assert found(accounts) is None


@pytest.mark.parametrize(
    ("text", "number"), [("8", 8), ("1,234", 1234), ("1 234", 1234), ("", None), ("x", None), ("٣", None), ("-1", None)]
)
def test_a_number_is_read_as_people_type_it(text, number):
    assert number_in(text) == number
