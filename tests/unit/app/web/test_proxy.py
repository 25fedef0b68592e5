"""Others than this machine come by way of a reverse proxy that speaks TLS, and by no other way."""

import pytest
from fastapi.testclient import TestClient

from app import config
from app.access import tokens
from app.config import Config
from app.domain.rights import Scope
from app.errors import ConfigError, Unprotected
from app.store import trail
from app.web.application import make_application
from app.web.exposure import Exposure
from app.web.server import check_accounts, check_reach
from tests.unit.app.web.visitors import OURS, log_in
from tests.words import refused

PROXY, OTHER, ADA = "192.0.2.1", "192.0.2.2", "203.0.113.9"
NAME = "sms.example.com"


@pytest.fixture
def behind(settings, database) -> Config:
    return settings.model_copy(update={"sms_web_host": "0.0.0.0", "sms_web_proxy": PROXY, "sms_web_names": NAME})


def coming(app, peer, host=NAME):
    """A client whose connections come from there, and who asks for this name."""
    return TestClient(app, f"https://{host}", client=(peer, 1), raise_server_exceptions=False)


@pytest.fixture
def app(behind, database):
    return make_application(behind, database)


@pytest.fixture
def ada(app, accounts):
    with coming(app, PROXY) as client:
        client.headers["x-forwarded-for"] = f"10.0.0.1, {ADA}"
        yield client


def test_others_look_once_there_are_accounts(behind):
    check_reach(behind)
    check_accounts(behind, has_accounts=True)
    with refused(Unprotected, "there are no accounts"):
        check_accounts(behind, has_accounts=False)


def test_a_cookie_is_for_tls_and_this_host_alone(ada):
    answer = log_in(ada, "viewer")
    cookie = answer.headers["set-cookie"]

    assert cookie.startswith("__Host-session=")
    assert all(each in cookie for each in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"))
    assert "Domain" not in cookie
    assert ada.get("/", follow_redirects=False).status_code == 200
    gone = ada.post("/logout", headers=OURS, follow_redirects=False).headers["set-cookie"]
    assert gone.startswith("__Host-session=")
    assert "Secure" in gone


def test_a_cookie_without_its_prefix_lets_nobody_in(ada):
    log_in(ada, "viewer")
    secret = ada.cookies["__Host-session"]
    ada.cookies.clear()

    answer = ada.get("/", headers={"cookie": f"session={secret}"}, follow_redirects=False)

    assert answer.status_code == 303


def test_the_address_is_the_one_that_the_proxy_saw_last(ada, accounts):
    log_in(ada, "viewer")

    with accounts.connect() as connection:
        (entry,) = [each for each in trail.newest(connection, 9) if each.deed == "log_in"]
    assert entry.address == ADA


def test_who_comes_past_the_proxy_gets_nothing(app, accounts):
    with coming(app, OTHER) as stranger:
        answers = [stranger.get(path) for path in ("/", "/login", "/health/live", "/metrics", "/api/v1/campaigns")]

    assert {each.status_code for each in answers} == {421}


def test_nobody_but_the_proxy_is_believed_whom_they_are(app, accounts):
    with coming(app, "127.0.0.1", "127.0.0.1") as here:
        here.headers["x-forwarded-for"] = ADA
        log_in(here, "viewer")

    with accounts.connect() as connection:
        (entry,) = [each for each in trail.newest(connection, 9) if each.deed == "log_in"]
    assert entry.address == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "sms.example.com.evil.example", PROXY])
def test_another_name_gets_nothing(ada, host):
    assert ada.get("/login", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("scope", [None, Scope.TRIGGER, Scope.READ])
def test_metrics_are_for_who_bears_a_token_that_may_read(ada, accounts, scope):
    if scope:
        ada.headers["authorization"] = f"Bearer {tokens.add(accounts, 'prometheus', [scope], None)}"

    assert ada.get("/metrics").status_code == (200 if scope is Scope.READ else 401)


def test_a_form_of_somebody_elses_page_is_refused_here_too(ada):
    answer = ada.post("/login", data={"name": "viewer"}, headers={"origin": "https://evil.example"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (ADA, ADA),
        (f"{OTHER}, {ADA}", ADA),
        ("::ffff:203.0.113.9", ADA),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", PROXY),
        ("", PROXY),
    ],
)
def test_what_a_proxy_says_is_read(said, address):
    scope = {"type": "http", "client": (f"::ffff:{PROXY}", 5), "headers": [(b"x-forwarded-for", said.encode())]}

    assert Exposure(frozenset(), PROXY).from_client(scope)["client"] == (address, 0)


@pytest.mark.parametrize(
    ("settings_", "code"),
    [
        ({"SMS_WEB_PROXY": "proxy.example.com", "SMS_WEB_NAMES": NAME}, "setting.no_address"),
        ({"SMS_WEB_PROXY": PROXY}, "setting.web_proxy_pair"),
        ({"SMS_WEB_NAMES": NAME}, "setting.web_proxy_pair"),
    ],
)
def test_a_proxy_is_an_address_and_has_names(settings, monkeypatch, settings_, code):
    for name, value in settings_.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as raised:
        config.load()

    assert [each.code for each in raised.value.problems] == [code]
