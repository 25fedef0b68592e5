"""Events of a campaign over the API: at each change, until it is over, the token is revoked, or the server stops."""

import json
from urllib.request import Request, urlopen

import pytest

from app import config
from app.access import tokens
from app.campaigns.control import control
from app.config import Config
from app.domain.campaign import Verb
from app.domain.rights import Scope
from app.trigger import watchers
from app.web.application import make_application
from tests.integration.app.api_server import running
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in


@pytest.fixture
def app(sqlite, tmp_path, monkeypatch):
    monkeypatch.setattr(watchers, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watchers, "HEARTBEAT_S", 0.2)
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", str(sqlite.url))
    move_in(sqlite, crowd(5))
    trigger(sqlite, "a", 10)
    return make_application(config.load(), sqlite)


@pytest.fixture
def address(app):
    with running(app) as where:
        yield where


@pytest.fixture
def token(sqlite):
    return tokens.add(sqlite, "me", [Scope.READ], None)


def watch(address, token):
    request = Request(f"{address}/api/v1/campaigns/a/events", headers={"Authorization": f"Bearer {token}"})
    return urlopen(request, timeout=30)


def states(answer):
    """As they come."""
    for line in answer:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])["state"]


def test_each_change_is_told_until_the_campaign_is_over(address, token, sqlite, logs):
    with watch(address, token) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = states(answer)
        first = next(told)
        control(sqlite, logs, "a", Verb.PAUSE)
        second = next(each for each in told if each != "running")
        control(sqlite, logs, "a", Verb.CANCEL)

        assert (first, second, [each for each in told if each != "paused"]) == ("running", "paused", ["cancelled"])


def test_while_nothing_changes_the_same_comes_again(address, token):
    with watch(address, token) as answer:
        told = states(answer)

        assert [next(told), next(told), next(told)] == ["running"] * 3


def test_whose_token_is_revoked_is_let_go(address, token, sqlite, monkeypatch):
    monkeypatch.setattr("app.web.keys.LOOK_EVERY_S", 0.0)
    with watch(address, token) as answer:
        told = states(answer)
        next(told)
        tokens.revoke(sqlite, "me")

        assert set(told) <= {"running"}  # and ends


def test_a_stop_of_the_server_ends_it(app, token):
    with running(app) as address:
        answer = watch(address, token)
        told = states(answer)
        next(told)

    assert set(told) <= {"running"}  # and it is complete, or this would raise
    answer.close()
