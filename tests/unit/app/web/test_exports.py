"""Exports: as CSV and as lines of JSON, by the API and from the pages, with whole numbers for who may see them."""

import csv
import io
import json

import pytest
import sqlalchemy as sa

from app.access import tokens, users
from app.domain.delivery import Delivery
from app.domain.reject import Reason, Reject
from app.domain.rights import Scope
from app.store import rejects
from app.store.database import writing
from app.store.tables import messages
from tests.integration.app.campaigns import run, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_audit_trail import entries
from tests.integration.app.test_receipts import recorded
from tests.unit.app.web.visitors import OURS, log_in
from tests.waiting import until

API = "/api/v1"
WHOLE = "13800000001"


@pytest.fixture
def campaign(database):
    """With two messages and two rejects."""
    move_in(database, crowd(5))
    campaign = recorded(database, "summer", [Delivery.ACCEPTED, Delivery.REFUSED])
    with writing(database) as connection:
        rejects.insert(connection, campaign.id, 0, [Reject(3, Reason.NO_NAME), Reject(4, Reason.DUPLICATE)])
        connection.execute(messages.update().where(messages.c.customer_id == 1).values(mobile=int(WHOLE)))
        connection.execute(messages.update().where(messages.c.customer_id == 2).values(error='=1+1,"x"'))
    return campaign


@pytest.fixture
def api(client, database):
    client.headers["authorization"] = f"Bearer {tokens.add(database, 'program', [Scope.READ], None)}"
    return client


def get(api, path, kind):
    return api.get(f"{API}{path}", headers={"accept": kind})


def rows(answer):
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_messages_are_a_table_for_a_spreadsheet(api, campaign):
    answer = get(api, "/campaigns/summer/messages", "text/csv")

    first, second = rows(answer)
    assert list(first)[:5] == ["customer_id", "mobile", "parts", "state", "gateway"]
    assert (first["mobile"], first["state"], first["provider_id"]) == ("138****0001", "accepted", "id1")
    assert second["error"] == '\'=1+1,"x"'
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''summer-messages.csv"
    assert WHOLE not in answer.text


def test_those_of_one_state_or_behind_a_customer_are_exported_alone(api, campaign):
    assert [each["customer_id"] for each in rows(get(api, "/campaigns/summer/messages?state=refused", "text/csv"))] == [
        "2"
    ]
    assert [each["customer_id"] for each in rows(get(api, "/campaigns/summer/messages?cursor=1", "text/csv"))] == ["2"]


def test_rejects_are_exported_page_by_page(api, campaign, monkeypatch):
    monkeypatch.setattr(rejects, "PAGE_ROWS", 1)

    answer = get(api, "/campaigns/summer/rejects", "text/csv")

    assert rows(answer) == [
        {"customer_id": "3", "reason": "no_name"},
        {"customer_id": "4", "reason": "duplicate"},
    ]


def test_a_report_is_a_line_for_each_task(api, database, settings):
    move_in(database, crowd(5))
    run(database, settings.sms_log_dir, "spring", 3)
    where = api.post(f"{API}/campaigns/spring/reports").headers["location"].removeprefix(API)
    until(lambda: api.get(f"{API}{where}").json()["state"] == "ready", within_s=60, what="the report is ready")

    assert [each["sent"] for each in rows(get(api, where, "text/csv"))] == ["3", "2"]
    lines = [json.loads(each) for each in get(api, where, "application/x-ndjson").text.splitlines()]
    assert [each["agrees"] for each in lines] == [True, True]


# ── the page ────────────────────────────────────────────────────────────────────────────────────


def export(client, name="summer", headers=OURS, **fields):
    return client.post(f"/campaigns/{name}/export", data=fields, headers=headers, follow_redirects=False)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_the_page_offers_whole_numbers_to_who_may_see_them(client, accounts, campaign, role):
    log_in(client, role)

    assert 'id="export" href="/campaigns/summer/export"' in client.get("/campaigns/summer").text
    assert ('name="whole"' in client.get("/campaigns/summer/export").text) is (role != "viewer")


def test_an_export_has_masked_numbers_and_leaves_no_trace(client, accounts, campaign):
    log_in(client, "viewer")

    answer = export(client, what="messages", format="csv")

    assert [each["mobile"] for each in rows(answer)] == ["138****0001", "102"]
    assert not [each for each in entries(accounts) if each.deed == "export"]


def test_whole_numbers_are_exported_by_who_may_see_them_and_the_trail_says_so(client, accounts, campaign):
    log_in(client, "operator")

    answer = export(client, what="messages", format="ndjson", whole="on")

    assert [json.loads(each)["mobile"] for each in answer.text.splitlines()] == [int(WHOLE), 102]
    assert "summer-messages.ndjson" in answer.headers["content-disposition"]
    found = entries(accounts)[0]
    assert (found.deed, found.who, found.campaign, found.via) == ("export", "operator", "summer", "pages")


def test_an_export_ends_with_the_right_to_it(client, accounts, campaign, monkeypatch):
    house = client.app.state.house

    def pieces(*_):
        yield b"first\n"
        users.disable(accounts, "operator")
        house.looks.forget()
        yield b"second\n"

    monkeypatch.setattr("app.audit.exports.Export.as_csv", pieces)
    log_in(client, "operator")

    assert b"second" not in export(client, what="messages", format="csv").content


@pytest.mark.parametrize("who", ["viewer", None])
def test_who_may_not_see_whole_numbers_gets_none(client, request, campaign, who):
    if who:
        request.getfixturevalue("accounts")
        log_in(client, who)

    answer = export(client, what="messages", whole="on")

    assert answer.status_code == 403
    assert WHOLE not in answer.text


def test_a_form_of_somebody_elses_exports_nothing(client, accounts, campaign):
    log_in(client, "operator")

    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://example.com"}, {}):
        assert export(client, headers=headers, what="messages", whole="on").status_code == 403
    assert not [each for each in entries(accounts) if each.deed == "export"]


def test_a_campaign_to_logs_has_rejects_alone(client, database):
    move_in(database, crowd(5))
    trigger(database, "spring", 10)

    assert 'value="messages"' not in client.get("/campaigns/spring/export").text
    assert export(client, "spring", what="messages").status_code == 409
    assert rows(export(client, "spring", what="rejects")) == []


def test_a_name_in_any_script_is_a_name_of_a_file(client, database):
    move_in(database, crowd(5))
    trigger(database, "春节", 10)

    answer = export(client, "%E6%98%A5%E8%8A%82", what="rejects")

    assert answer.headers["content-disposition"].endswith("%E6%98%A5%E8%8A%82-rejects.csv")
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM rejects")).scalar() == 0
