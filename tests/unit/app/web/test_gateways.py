"""Gateways over the API: drained and activated, and what campaigns and pages say of it."""

import pytest

from app.access import tokens
from app.domain.rights import Scope
from app.store import drains
from app.store.database import writing
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_audit_trail import entries

API = "/api/v1"
FILE = """
[net]
kind = "smpp"
host = "127.0.0.1"
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
rate = 500
"""


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    """With a gateway."""
    (tmp_path / "gateways.toml").write_text(FILE)
    monkeypatch.setenv("SMPP_A_PASSWORD", "s3cret")
    return settings.model_copy(update={"sms_gateways": tmp_path / "gateways.toml"})


@pytest.fixture
def api(client, database):
    """Asks with a token that has every scope."""
    client.headers["authorization"] = f"Bearer {tokens.add(database, 'program', list(Scope), None)}"
    return client


def put(api, name, state):
    return api.put(f"{API}/gateways/{name}/state", json={"state": state})


def test_a_gateway_is_drained_and_activated_and_a_repeat_is_no_error(api, database):
    first, again = put(api, "net", "drained"), put(api, "net", "drained")
    listed = api.get(f"{API}/gateways").json()["gateways"][0]
    back = put(api, "net", "active")

    assert [first.status_code, again.status_code, back.status_code] == [200, 200, 200]
    assert first.json() == again.json() == listed
    assert (listed["state"], listed["drained"]["by"]) == ("drained", "token:program")
    assert (back.json()["state"], back.json()["drained"]) == ("active", None)
    assert [(each.deed, each.via) for each in entries(database)][:2] == [
        ("gateway_activate", "api"),
        ("gateway_drain", "api"),
    ]


@pytest.mark.parametrize("name", ["nte", "log", "..%2Fnet"])
def test_one_that_is_not_there_is_refused(api, database, name):
    answer = put(api, name, "drained")

    assert answer.status_code == 404
    with database.connect() as connection:
        assert drains.every(connection) == {}


def test_a_state_that_there_is_none_of_is_refused(api):
    assert put(api, "net", "closed").status_code == 422


def test_its_campaigns_and_the_pages_say_that_it_is_drained(api, database):
    move_in(database, crowd(5))
    trigger(database, "a", 10, gateway="net")
    trigger(database, "to-logs", 10)
    with writing(database) as connection:
        drains.lock(connection, "net")
        drains.put(connection, "net", drains.now("<ada>"))

    campaign = api.get(f"{API}/campaigns/a").json()
    assert (campaign["state"], campaign["gateway_drained"]["by"]) == ("running", "<ada>")
    assert api.get(f"{API}/campaigns/to-logs").json()["gateway_drained"] is None
    for path in ("/campaigns/a", "/system"):
        assert "by &lt;ada&gt;; nothing is submitted" in api.get(path).text
    assert api.get("/").text.count("(gateway drained)") == 1
    assert "drained" not in api.get("/campaigns/to-logs").text
