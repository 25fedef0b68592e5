"""A campaign is compared with what was sent, from its page, which says how far that is and what was found."""

import re
import threading

import pytest

from app.domain.delivery import Delivery
from app.web import reports
from tests.integration.app.campaigns import run, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, log_in
from tests.waiting import until

WITHIN_S = 60.0


@pytest.fixture
def operator(client, accounts):
    move_in(accounts, crowd(10))
    log_in(client, "operator")
    return client


def order(client, name):
    return client.post(f"/campaigns/{name}/verify", headers=OURS, follow_redirects=False)


def verified(client, name):
    """Its page, once it is compared."""
    answer = order(client, name)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/campaigns/{name}")
    ordered = client.app.state.house.reports
    until(lambda: ordered.newest(name).is_ready, within_s=WITHIN_S, what="it is compared")
    return text_of(client.get(f"/campaigns/{name}"))


def test_logs_that_agree_are_said_to(operator, accounts, settings):
    run(accounts, settings.sms_log_dir, "may", 4)

    page = verified(operator, "may")

    assert "✓ What was sent agrees with what is on record." in page
    assert "UTC, operator" in page


def test_a_log_that_somebody_changed_is_named(operator, accounts, settings):
    run(accounts, settings.sms_log_dir, "may", 100)
    (log,) = settings.sms_log_dir.rglob("task_0.log")
    log.write_bytes(log.read_bytes().split(b"\n", 1)[1])

    page = verified(operator, "may")

    assert re.search(r"✗ \d differences?\.", page)
    assert "task 0" in page


def test_a_ledger_that_is_not_finished_differs_in_nothing_so_far(operator, accounts):
    recorded(accounts, "net", [Delivery.ACCEPTED, Delivery.DELIVERED])

    assert "Nothing differs so far" in verified(operator, "net")


def test_how_far_it_is_is_shown_and_a_second_click_begins_nothing(operator, accounts, monkeypatch):
    trigger(accounts, "spring", 5)
    gate, begun = threading.Event(), threading.Semaphore(0)

    def slow(database, log_dir, name, should_stop):
        should_stop()
        begun.release()
        gate.wait(WITHIN_S)

    monkeypatch.setattr(reports, "verdict", slow)
    order(operator, "spring")
    order(operator, "spring")
    assert begun.acquire(timeout=WITHIN_S)

    page = text_of(operator.get("/campaigns/spring"))
    gate.set()
    until(lambda: operator.app.state.house.reports.newest("spring").is_ready, within_s=WITHIN_S, what="it is over")

    assert "operator has it compared with what is on record: 1 of 2 tasks" in page
    assert not begun.acquire(blocking=False)


def test_what_cannot_be_compared_is_said(operator, accounts, monkeypatch):
    trigger(accounts, "spring", 10)

    def breaks(*_):
        raise RuntimeError("13800000001")

    monkeypatch.setattr(reports, "verdict", breaks)
    page = verified(operator, "spring")

    assert "✗ It could not be compared." in page
    assert "something broke here" in page
    assert "13800000001" not in page


@pytest.mark.parametrize(("path", "status"), [("nobody", 404), ("%00", 400)])
def test_what_is_not_there_is_not_compared(operator, path, status):
    assert order(operator, path).status_code == status


def test_who_comes_back_from_a_login_is_at_the_campaign(operator, accounts):
    trigger(accounts, "spring", 10)

    answer = operator.get("/campaigns/spring/verify", follow_redirects=False)

    assert answer.headers["location"] == "/campaigns/spring"
