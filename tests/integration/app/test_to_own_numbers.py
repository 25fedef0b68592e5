"""`python -m app test`: the real text for one customer, sent to a few numbers of one's own; it is in no campaign."""

import json

import pytest
import sqlalchemy as sa

from app.store import opt_outs
from app.store.database import writing
from app.store.tables import campaigns, early_receipts, messages, trials
from tests.integration.app.audiences import settle
from tests.integration.app.people import move_in, person
from tests.integration.app.providers import SID, provider
from tests.integration.app.test_gateway_trial import centre, centre_at  # noqa: F401  a fixture

OURS = ["13900000001", "13900000002", "13900000003"]
SHOWN = ["139****0001", "139****0002", "139****0003"]
PEOPLE = [person(1, ""), person(2, "张伟", 1), person(3, "王芳", 0)]
SMALL = (
    '[net]\nkind = "{kind}"\nanswer_timeout_s = 60\nreceipts_every_s = 0.2\nsecret_env = "NET_SECRET"\nprice = 0.5\n'
)
TEMPLATE = '[net.templates.expiry]\ncode = "1110"\ntext = "尊敬的{name}，您的会员已到期。"\n'


@pytest.fixture(autouse=True)
def three(sqlite, monkeypatch):
    monkeypatch.setenv("NET_SECRET", "secret")
    move_in(sqlite, PEOPLE)


def numbers(count=3):
    return [part for each in OURS[:count] for part in ("--to", each)]


def rows(database, table):
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_the_text_of_the_first_who_is_greeted_goes_to_each_number_and_counts_nowhere(app, sqlite, centre):  # noqa: F811
    ended = app("test", "--gateway", "smpp-a", "--template", "{name}{honorific}，{mobile}", *numbers(), "--yes")

    sent = {each[2]: (each[3], each[5]) for each in centre.submissions()}
    assert (ended.code, ended.err) == (0, "")
    assert {to: text for to, (_, text) in sent.items()} == dict.fromkeys(
        [f"86{each}" for each in OURS], "张伟先生，13800000002"
    )
    assert f"by smpp-a to {', '.join(SHOWN)}, 1 SMS in UCS-2:\n  张伟先生，13800000002\n" in ended.out
    for shown, to in zip(SHOWN, OURS, strict=True):
        assert f"{shown}: accepted after " in ended.out
        assert f", {sent[f'86{to}'][0]}\n" in ended.out
        assert f"{shown}: its receipt: delivered after " in ended.out
    assert (rows(sqlite, trials), rows(sqlite, campaigns), rows(sqlite, messages)) == (3, 0, 0)
    assert rows(sqlite, early_receipts) == 0


def test_what_a_customer_reads_and_what_it_costs(app, gateways, centre):  # noqa: F811
    gateways(centre_at(centre.port, 'price = 0.05\ncurrency = "CNY"'))
    command = ["test", "--gateway", "smpp-a", "--template", "{name}{honorific}", "--customer", "3", "--yes"]

    said = app(*command, "--to", ",".join(OURS[:2]))
    facts = json.loads(app(*command, "--to", OURS[0], "--to", f"+86 {OURS[0]}", "--json").out)

    assert "  王芳女士\nthat comes to 0.10 CNY\n" in said.out
    assert (facts["customer"], facts["text"], facts["cost"]) == (3, "王芳女士", "0.05 CNY")
    (only,) = facts["messages"]
    assert (only["number"], only["answer"], only["state"]) == ("139****0001", "accepted", "delivered")


@pytest.mark.usefixtures("centre")
def test_a_customer_of_another_audience_is_theirs(app, sqlite):
    settle(sqlite, "vips", [(3, "贵客", 1, "13700000003")])

    shown = app("test", "--gateway", "smpp-a", "--template", "{name}", "--audience", "vips", *numbers(1), "--yes").out

    assert "  贵客\n" in shown


@pytest.mark.usefixtures("centre")
def test_one_that_is_refused_is_an_error_and_the_others_are_sent(app):
    ended = app("test", "--gateway", "smpp-a", "--template", "x", "--to", "13800999902,13900000001", "--yes")

    assert ended.code == 1
    assert "138****9902: refused after " in ended.out
    assert "139****0001: its receipt: delivered after " in ended.out


def test_nothing_is_sent_where_somebody_wants_nothing_or_nobody_agrees(app, sqlite, centre):  # noqa: F811
    command = ["test", "--gateway", "smpp-a", "--template", "{name}", *numbers()]
    asked = app(*command)
    with writing(sqlite) as connection:
        opt_outs.add(connection, "-", [int(OURS[1])], "person")

    app(*command, "--yes").assert_refused("139****0002 wants no messages of smpp-a")
    assert (asked.code, "pass --yes" in asked.err) == (1, True)
    assert centre.submissions() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--template", "{name}"], "log, which writes messages into files and reaches no phone"),
        (["--gateway", "log"], "log, which writes messages into files and reaches no phone"),
        (["--gateway", "smpp-a"], "the message must be given"),
        (["--gateway", "smpp-a", "--template", "{nobody}"], "{nobody}"),
        (["--gateway", "smpp-a", "--template-name", "x"], "has no templates by name"),
        (["--gateway", "smpp-a", "--template", "{name}", "--customer", "1"], "customer 1 is not greeted: no_name"),
        (["--gateway", "smpp-a", "--template", "{name}", "--customer", "9"], "no customer has the id 9"),
        (["--gateway", "smpp-a", "--template", "{name}" + "王" * 800], "parts, and smpp-a takes 10"),
        (["--gateway", "other", "--template", "x"], "no gateway is named other"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(app, gateways, options, said):
    gateways(centre_at(1))

    app("test", *options, *numbers(1), "--yes").assert_refused(said)


@pytest.mark.parametrize("between", [",", " "])
def test_ten_numbers_are_the_most(app, gateways, between):
    gateways(centre_at(1))
    eleven = between.join(f"139000000{number:02}" for number in range(11)).split()

    ended = app("test", "--gateway", "smpp-a", "--template", "x", "--to", *eleven)

    assert (ended.code, "1 to 10 numbers" in ended.err) == (2, True)
    app("test", "--gateway", "smpp-a", "--template", "x", "--to", "12345").assert_refused("12345 is no mobile number")


def test_nobody_to_be_greeted_is_said(app, sqlite, gateways):
    gateways(centre_at(1))
    move_in(sqlite, [person(1, "")])

    app("test", "--gateway", "smpp-a", "--template", "{name}", *numbers(1)).assert_refused("nobody can be greeted")


PROVIDERS = {
    "twilio": (
        SID,
        f'account_sid = "{SID}"\nsource = "+15550001111"\n',
        ["--template", "尊敬的{name}，您的会员已到期。"],
        "尊敬的张伟，您的会员已到期。",
    ),
    "aliyun": (
        "LTAIdemo",
        'access_key_id = "LTAIdemo"\nsignature = "云通知"\n' + TEMPLATE,
        ["--template-name", "expiry"],
        "【云通知】尊敬的张伟，您的会员已到期。",
    ),
    "tencent": (
        "AKIDdemo",
        'secret_id = "AKIDdemo"\napp_id = "1400006666"\nsignature = "云通知"\n' + TEMPLATE,
        ["--template-name", "expiry"],
        "【云通知】尊敬的张伟，您的会员已到期。",
    ),
}


@pytest.mark.parametrize("kind", PROVIDERS)
def test_by_each_provider_every_number_gets_it_and_its_receipt_is_told(app, sqlite, gateways, tmp_path, kind):
    account, fields, options, text = PROVIDERS[kind]
    with provider(tmp_path, account) as running:
        gateways(f'{SMALL.format(kind=kind)}endpoint = "http://127.0.0.1:{running.port}"\n{fields}')
        ended = app("test", "--gateway", "net", *options, *numbers(), "--yes")
        taken = running.taken

    assert ended.code == 0, ended
    assert {each[-11:] for each in taken} == {*OURS}
    assert f"  {text}\nthat comes to 1.5" in ended.out
    assert all(f"{each}: its receipt: delivered after " in ended.out for each in SHOWN)
    assert (rows(sqlite, trials), rows(sqlite, early_receipts)) == (3, 0)


def test_a_value_that_the_provider_refuses_is_found_before(app, sqlite, gateways):
    _, fields, options, _ = PROVIDERS["aliyun"]
    gateways(f"{SMALL.format(kind='aliyun')}{fields}")
    move_in(sqlite, [person(1, "www.a.com"), person(2, "张伟")])

    theirs = app("test", "--gateway", "net", *options, *numbers(), "--yes", "--customer", "1")
    of_the_first_who_can_be_sent_to = app("test", "--gateway", "net", *options, *numbers())

    theirs.assert_refused("cannot send expiry with these values")
    assert "尊敬的张伟，" in of_the_first_who_can_be_sent_to.out


def test_once_the_account_is_at_fault_nobody_else_is_tried(app, gateways, tmp_path):
    account, fields, options, _ = PROVIDERS["tencent"]
    with provider(tmp_path, account) as running:
        running.set(fault="FailedOperation.InsufficientBalanceInSmsPackage")
        gateways(f'{SMALL.format(kind="tencent")}endpoint = "http://127.0.0.1:{running.port}"\n{fields}')
        ended = app("test", "--gateway", "net", *options, *numbers(), "--yes")

    assert ended.code == 1
    assert "2 numbers got nothing\n" in ended.out
