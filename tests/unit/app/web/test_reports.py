"""Reports over the API: ordered, made one after the other, and found by who has their address."""

import threading

import pytest

from app.access import tokens
from app.domain.delivery import Delivery
from app.domain.rights import Scope
from app.web import reports
from tests.integration.app.campaigns import run, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.waiting import until

API = "/api/v1"


@pytest.fixture
def api(client, database):
    """Asks with a token that may read."""
    client.headers["authorization"] = f"Bearer {tokens.add(database, 'program', [Scope.READ], None)}"
    move_in(database, crowd(5))
    return client


def ordered(api, name):
    answer = api.post(f"{API}/campaigns/{name}/reports")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{API}/reports/{answer.json()['id']}"
    return answer.headers["location"]


def ready(api, where):
    until(lambda: api.get(where).json()["state"] != "running", within_s=60, what="the report is ready")
    return api.get(where).json()


@pytest.fixture
def held(monkeypatch):
    """No report is made until it is set."""
    gate, check = threading.Event(), reports.verdict

    def wait(*given):
        assert gate.wait(60)
        return check(*given)

    monkeypatch.setattr(reports, "verdict", wait)
    yield gate
    gate.set()


def test_a_campaign_to_logs_is_checked_line_by_line(api, database, settings):
    run(database, settings.sms_log_dir, "spring", 3)

    found = ready(api, ordered(api, "spring"))
    assert (found["state"], found["campaign"], found["ordered_by"]) == ("ready", "spring", "token:program")
    assert (found["result"]["agrees"], [each["sent"] for each in found["result"]["tasks"]]) == (True, [3, 2])

    (log,) = settings.sms_log_dir.rglob("task_1.log")
    log.write_bytes(log.read_bytes()[:-5])
    found = ready(api, ordered(api, "spring"))
    assert [each["agrees"] for each in found["result"]["tasks"]] == [True, False]
    assert any(each["code"].startswith("difference.") for each in found["result"]["tasks"][1]["differences"])
    assert "13800000" not in str(found)


def test_a_campaign_to_a_network_is_checked_row_by_row(api, database):
    recorded(database, "summer", [Delivery.ACCEPTED, Delivery.UNKNOWN])

    found = ready(api, ordered(api, "summer"))

    assert (found["result"]["agrees"], found["result"]["tasks"][0]["sent"]) == (False, 1)


def test_one_campaign_is_checked_once_at_a_time(api, database, held):
    trigger(database, "a", 10)
    trigger(database, "b", 10)

    first, again, other = ordered(api, "a"), ordered(api, "a"), ordered(api, "b")

    assert first == again != other
    assert api.get(first).json()["result"] is None
    held.set()
    ready(api, first)
    assert ordered(api, "a") != first


def test_who_orders_too_many_is_told_to_wait(api, database, held, monkeypatch):
    monkeypatch.setattr(reports, "MOST_WAITING", 2)
    for name in "abc":
        trigger(database, name, 10)
    ordered(api, "a")
    ordered(api, "b")

    assert api.post(f"{API}/campaigns/c/reports").status_code == 503


def test_the_oldest_reports_are_forgotten_and_no_others(api, database, monkeypatch):
    monkeypatch.setattr(reports, "MOST_KEPT", 4)
    trigger(database, "a", 10)

    made = []
    for _ in range(6):
        made.append(ordered(api, "a"))
        ready(api, made[-1])

    assert [api.get(each).status_code for each in made] == [404, 404, 200, 200, 200, 200]


@pytest.mark.parametrize("path", ["/campaigns/nowhere/reports", f"/reports/{'0' * 32}"])
def test_what_is_not_there_cannot_be_checked(api, path):
    ask = api.post if path.startswith("/campaigns") else api.get

    assert ask(f"{API}{path}").status_code == 404


def test_a_report_that_cannot_be_made_says_why(api, database, monkeypatch):
    def fail(*_):
        raise ValueError("no such luck")

    monkeypatch.setattr(reports, "verdict", fail)
    trigger(database, "a", 10)

    found = ready(api, ordered(api, "a"))

    assert (found["state"], found["why_not"]["code"]) == ("failed", "broken")


def test_one_message_is_found_by_its_id(api, database):
    recorded(database, "summer", [Delivery.ACCEPTED, Delivery.UNKNOWN])
    (first, _) = api.get(f"{API}/campaigns/summer/messages").json()["messages"]

    found = api.get(f"{API}/messages/{first['id']}").json()

    assert found == {"campaign": "summer", "gateway": "net", "message": first}
    assert api.get(f"{API}/messages/9999999999-1").status_code == 404
    assert api.get(f"{API}/messages/{first['id'].split('-')[0]}-77").status_code == 404
    assert api.get(f"{API}/messages/search").status_code == 405
