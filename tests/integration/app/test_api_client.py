"""The client of a hundred lines in examples/, which people copy, against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from app import config
from app.access import tokens
from app.config import Config
from app.domain.delivery import Delivery
from app.domain.reject import Reason, Reject
from app.domain.rights import Scope
from app.store import rejects
from app.store.database import writing
from app.web.application import make_application
from examples.api_client import Api, Refused
from tests.integration.app.api_server import running
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded

ROOT = Path(__file__).parents[3]


@pytest.fixture
def address(sqlite, tmp_path, monkeypatch):
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", str(sqlite.url))
    with running(make_application(config.load(), sqlite)) as where:
        yield where


@pytest.fixture
def api(address, sqlite):
    return Api(address, tokens.add(sqlite, "me", list(Scope), None))


def test_a_campaign_is_started_seen_and_cancelled(api, sqlite):
    move_in(sqlite, crowd(5))

    started = api.start("春", template="{name}{honorific}，您好")

    assert (started.name, started.state, api.campaign("春").state) == ("春", "running", "running")
    assert api.set_state("春", "cancelled").state == "cancelled"
    with pytest.raises(Refused) as refusal:
        api.start("春", template="{name}")
    assert (refusal.value.status, refusal.value.code) == (409, "other_template")


def test_lists_are_followed_to_their_end(api, sqlite):
    names = [f"a{number}" for number in range(120)]
    for name in names:
        trigger(sqlite, name, 10)
    move_in(sqlite, crowd(5))
    campaign = recorded(sqlite, "net", [Delivery.DELIVERED, Delivery.REFUSED])
    with writing(sqlite) as connection:
        rejects.insert(connection, campaign.id, 0, [Reject(9, Reason.NO_NAME)])

    assert [each.name for each in api.campaigns()] == ["net", *reversed(names)]
    assert [each.name for each in api.campaigns("running")] == ["net"]
    assert [each["state"] for each in api.messages("net")] == ["delivered", "refused"]
    assert list(api.rejects("net")) == [{"customer_id": 9, "reason": "no_name"}]


def test_a_number_is_taken_off(api):
    assert api.opt_out("13800000001") == api.opt_out("13800000001")


def test_the_program_follows_a_campaign_to_its_end(address, sqlite, tmp_path):
    (tmp_path / "token").write_text(tokens.add(sqlite, "me", [Scope.READ, Scope.TRIGGER], None) + "\n")

    def run(*arguments):
        command = [sys.executable, ROOT / "examples" / "api_client.py", address, tmp_path / "token", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    done, refused = run("spring"), run("a b")

    assert (done.returncode, done.stdout) == (0, "spring is finished: 0 sent, 0 rejected\n")
    assert (refused.returncode, refused.stderr.startswith("error: a campaign's name is")) == (1, True)
