"""One person: their whole number, which is a right, and whether they want messages; without a browser."""

import re

import pytest

from app.domain.actor import Deed
from app.store import opt_outs, trail
from app.store.database import writing
from tests.integration.app.people import crowd, move_in
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, log_in

NUMBER = "13800000002"
WHOLE = re.compile(r"1[3-9]\d{9}")


@pytest.fixture
def operator(client, accounts):
    move_in(accounts, [*crowd(3), (9, "王芳", 0, "none")])
    log_in(client, "operator")
    return client


def post(client, path, **fields):
    return client.post(f"/people{path}", data=fields, headers=OURS)


def trail_of(database, deed):
    with database.connect() as connection:
        return [each for each in trail.newest(connection, 50) if each.deed == deed]


def opted_out(database):
    with database.connect() as connection:
        return opt_outs.signatures_of(connection, int(NUMBER))


def test_a_whole_number_is_shown_to_who_may_and_that_stands_in_the_trail(operator, accounts):
    before = post(operator, "", who="2").text
    after = post(operator, "/unmask", who="2").text

    assert not WHOLE.search(before)
    assert WHOLE.findall(after) == [NUMBER]
    (entry,) = trail_of(accounts, Deed.UNMASK)
    assert (entry.who, entry.via, entry.subject) == ("operator", "pages", "customer 2")


def test_by_a_number_the_trail_has_it_masked(operator, accounts):
    post(operator, "/unmask", who=NUMBER)

    assert [each.subject for each in trail_of(accounts, Deed.UNMASK)] == ["138****0002"]


def test_where_the_trail_cannot_be_written_nothing_is_shown(operator, monkeypatch):
    def breaks(*_, **__):
        raise RuntimeError("no trail")

    monkeypatch.setattr("app.audit.unmasking.trail.note", breaks)
    answer = post(operator, "/unmask", who="2")

    assert answer.status_code == 500
    assert not WHOLE.search(answer.text)


def test_an_opt_out_is_added_and_removed_and_stands_in_the_trail(operator, accounts):
    added = text_of(post(operator, "/opt-outs", who="2", signature="*", do="add"))
    assert opted_out(accounts) == ["*"]
    assert "opted out under *" in added

    removed = text_of(post(operator, "/opt-outs", who="2", signature="*", do="remove"))
    assert opted_out(accounts) == []
    assert "not opted out" in removed
    assert [each.subject for each in trail_of(accounts, Deed.OPT_OUT_ADD)] == ["138****0002"]
    assert [each.subject for each in trail_of(accounts, Deed.OPT_OUT_REMOVE)] == ["138****0002"]


def test_to_add_one_twice_changes_nothing(operator, accounts):
    for _ in range(2):
        post(operator, "/opt-outs", who="2", do="add")

    assert opted_out(accounts) == ["*"]
    assert len(trail_of(accounts, Deed.OPT_OUT_ADD)) == 1


def test_logs_are_searched_by_one_at_a_time_and_hold_nobody_else_up(operator, accounts):
    searching = operator.app.state.house.searching
    operator.portal.call(searching.acquire)
    try:
        assert post(operator, "", who="2", logs="on").status_code == 503
        assert post(operator, "", who="2").status_code == 200
        assert post(operator, "/opt-outs", who="2", logs="on").status_code == 200
    finally:
        operator.portal.call(searching.release)


@pytest.mark.parametrize("do", ["add", "remove"])
def test_a_signature_that_no_gateway_has_is_refused(operator, accounts, do):
    answer = post(operator, "/opt-outs", who="2", signature="<script>", do=do)

    assert answer.status_code == 400
    assert "<script>" not in answer.text.replace("<script src", "")
    assert opted_out(accounts) == []


def test_a_number_that_no_customer_has_can_be_opted_out(operator, accounts):
    post(operator, "/opt-outs", who="139 0000 0009", do="add")

    with accounts.connect() as connection:
        assert opt_outs.signatures_of(connection, 13900000009) == ["*"]


@pytest.mark.parametrize("path", ["/unmask", "/opt-outs"])
def test_who_has_no_number_has_nothing_to_be_shown_or_opted_out(operator, accounts, path):
    answer = post(operator, path, who="9")

    assert answer.status_code == 400
    assert "no number that can be used" in text_of(answer)


@pytest.mark.parametrize("role", ["viewer", "nobody yet"])
@pytest.mark.parametrize("path", ["/unmask", "/opt-outs"])
def test_who_may_not_sees_no_button_and_is_refused(client, database, request, role, path):
    if role == "viewer":
        request.getfixturevalue("accounts")
        log_in(client, "viewer")
    move_in(database, crowd(3))
    with writing(database) as connection:
        opt_outs.add(connection, "*", [int(NUMBER)], "person")

    page, answer = post(client, "", who="2").text, post(client, path, who="2", do="remove")

    assert "<h2>138****0002</h2>" in page
    assert path not in page
    assert answer.status_code == 403
    assert not WHOLE.search(answer.text)
    assert opted_out(database) == ["*"]


@pytest.mark.parametrize("path", ["/unmask", "/opt-outs"])
def test_a_form_of_somebody_elses_page_is_refused(operator, accounts, path):
    answer = operator.post(f"/people{path}", data={"who": "2"}, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert opted_out(accounts) == []


@pytest.mark.parametrize("path", ["/unmask", "/opt-outs"])
def test_who_comes_back_from_a_login_asks_again(operator, path):
    assert operator.get(f"/people{path}", follow_redirects=False).headers["location"] == "/people"
