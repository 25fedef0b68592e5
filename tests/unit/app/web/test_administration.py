"""Accounts, tokens, the audit trail and gateways that are drained, on their pages; without a browser."""

import re

import pytest

from app.access import tokens as token_cases
from app.access import users as user_cases
from app.domain.actor import Actor, Deed, Via
from app.domain.rights import Role, Scope
from app.store import drains, tokens, trail, users
from app.store.database import writing
from app.web.administration import ENTRIES
from tests.integration.app.test_cost import FILE
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, PASSWORD, log_in


@pytest.fixture
def admin(client, accounts):
    log_in(client, "admin")
    return client


def post(client, path, headers=OURS, **fields):
    return client.post(path, data=fields, headers=headers)


def user(database, name):
    with database.connect() as connection:
        return users.find(connection, name)


def trail_of(database, deed):
    with database.connect() as connection:
        return [each for each in trail.newest(connection, 50) if each.deed == deed]


# ── users and tokens ────────────────────────────────────────────────────────────────────────────


def test_an_admin_sees_who_there_is_and_which_tokens(admin, accounts):
    token = token_cases.add(accounts, "ci", [Scope.READ], None)

    answer = admin.get("/accounts")

    assert "viewer viewer" in text_of(answer)
    assert "ci read" in text_of(answer)
    assert token not in answer.text
    assert "scrypt" not in answer.text


def test_a_user_is_disabled_and_enabled_and_gets_another_role(admin, accounts):
    said = text_of(post(admin, "/accounts/users", name="viewer", do="disable"))
    assert user(accounts, "viewer").disabled_at
    assert "viewer is disabled and logged out" in said

    post(admin, "/accounts/users", name="viewer", do="enable")
    post(admin, "/accounts/users", name="viewer", do="role", role="operator")

    assert user(accounts, "viewer").disabled_at is None
    assert user(accounts, "viewer").role is Role.OPERATOR
    (entry,) = trail_of(accounts, Deed.USER_DISABLE)
    assert (entry.who, entry.via, entry.subject) == ("admin", "pages", "viewer")


@pytest.mark.parametrize(
    ("name", "do", "status"),
    [("admin", "disable", 400), (" ADMIN ", "role", 400), ("nobody", "disable", 404), ("viewer", "explode", 400)],
)
def test_what_cannot_be_done_with_an_account_is_said(admin, accounts, name, do, status):
    assert post(admin, "/accounts/users", name=name, do=do, role="viewer").status_code == status
    assert user(accounts, "admin").role is Role.ADMIN
    assert user(accounts, "admin").disabled_at is None


def test_a_token_is_revoked(admin, accounts):
    token_cases.add(accounts, "ci", [Scope.READ], None)

    said = text_of(post(admin, "/accounts/tokens", name="ci"))

    with accounts.connect() as connection:
        assert tokens.find(connection, "ci").revoked_at
    assert "ci is revoked" in said
    assert post(admin, "/accounts/tokens", name="none").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_does_not_manage_sees_no_link_and_is_refused(client, accounts, role):
    log_in(client, role)

    answers = [
        client.get("/accounts"),
        post(client, "/accounts/users", name="admin", do="disable"),
        post(client, "/accounts/tokens", name="ci"),
    ]

    assert {each.status_code for each in answers} == {403}
    assert 'href="/accounts"' not in client.get("/").text
    assert user(accounts, "admin").disabled_at is None


@pytest.mark.parametrize("path", ["/accounts/users", "/accounts/tokens", "/system/gateways"])
def test_a_form_of_somebody_elses_page_is_refused(admin, accounts, path):
    answer = post(admin, path, {"sec-fetch-site": "cross-site"}, name="viewer", do="disable", gateway="net")

    assert answer.status_code == 403
    assert user(accounts, "viewer").disabled_at is None


# ── the audit trail ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def much(accounts):
    """More than a page."""
    with writing(accounts) as connection:
        for number in range(ENTRIES + 5):
            by = Actor("ada" if number % 2 else "ben", Via.PAGES, "192.0.2.1")
            trail.note(
                connection,
                by,
                Deed.PAUSE,
                campaign=f"c{number}",
                before={"state": "running"},
                after={"state": "paused"},
            )
    return accounts


def rows_of(page):
    return page.count('<th scope="row"')


def test_the_trail_is_shown_newest_first_and_older_entries_behind_a_link(admin, much):
    first = admin.get("/audit").text
    older = re.search(r'<a href="(/audit\?[^"]+)">', first)[1].replace("&amp;", "&")

    assert rows_of(first) == ENTRIES
    assert "ben pages 192.0.2.1 paused" in text_of(admin.get("/audit"))
    assert "state running → paused" in text_of(admin.get("/audit"))
    assert rows_of(admin.get(older).text) >= 5


@pytest.mark.parametrize(
    ("query", "count"),
    [("campaign=c3", 1), ("who=admin", 1), ("deed=log_in", 1), ("who=ada&campaign=c2", 0), ("who=", 100)],
)
def test_the_trail_is_filtered(admin, much, query, count):
    assert rows_of(admin.get(f"/audit?{query}").text) == count


def test_what_stands_in_the_trail_is_shown_and_not_run(admin, accounts):
    with writing(accounts) as connection:
        trail.note(
            connection, None, Deed.START, campaign="x", after={"template": "<script>alert(1)</script>" + "a" * 500}
        )

    text = admin.get("/audit").text

    assert "<script>alert" not in text
    assert "a" * 100 not in text


def test_a_viewer_reads_no_trail(client, accounts):
    log_in(client, "viewer")

    assert client.get("/audit").status_code == 403
    assert 'href="/audit' not in client.get("/").text


# ── gateways ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def with_gateway(client, accounts, tmp_path, monkeypatch):
    (tmp_path / "gateways.toml").write_text(FILE)
    house = client.app.state.house
    monkeypatch.setattr(
        house, "settings", house.settings.model_copy(update={"sms_gateways": tmp_path / "gateways.toml"})
    )
    return client


def test_an_operator_drains_a_gateway_and_activates_it(with_gateway, accounts):
    log_in(with_gateway, "operator")

    drained = text_of(post(with_gateway, "/system/gateways", gateway="net", do="drain"))
    with accounts.connect() as connection:
        assert drains.every(connection)["net"].who == "operator"
    assert "Activate net" in drained

    active = text_of(post(with_gateway, "/system/gateways", gateway="net", do="activate"))
    with accounts.connect() as connection:
        assert drains.every(connection) == {}
    assert "Drain net" in active


def test_a_gateway_that_is_not_there_is_not_drained(with_gateway, accounts):
    log_in(with_gateway, "operator")

    assert post(with_gateway, "/system/gateways", gateway="<script>", do="drain").status_code == 404


def test_a_viewer_has_no_button_and_drains_nothing(with_gateway, accounts):
    log_in(with_gateway, "viewer")

    assert post(with_gateway, "/system/gateways", gateway="net", do="drain").status_code == 403
    assert "/system/gateways" not in with_gateway.get("/system").text
    with accounts.connect() as connection:
        assert drains.every(connection) == {}


def test_an_account_made_by_another_admin_counts(admin, accounts):
    user_cases.add(accounts, "eve", Role.VIEWER, PASSWORD)

    assert "eve" in text_of(admin.get("/accounts"))
