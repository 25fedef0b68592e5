"""`resume` of a failed campaign says what differs in its logs, and asks before anything is sent."""

import sys

import pytest
import sqlalchemy as sa

from app.cli import asking
from app.domain.campaign import State, Verb
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence
from app.store import campaigns
from app.store.database import writing
from app.store.tables import customers
from tests.integration.app.campaigns import as_stored, run, trigger
from tests.integration.app.people import crowd, greeting, move_in

CROWD = crowd(10)
LINES = [greeting(each).encode() for each in CROWD]
SEEN = "in the logs 8 messages are right; 1 reads otherwise than now, and will stay; 1 is missing, and will be sent; "
SEEN += "1 line stands for nobody on record, and will go"


@pytest.fixture
def failed(sqlite, logs):
    """One renamed since, one without a line, and a line of a stranger."""
    move_in(sqlite, CROWD)
    campaign = run(sqlite, logs, "a", 100)
    with writing(sqlite) as connection:
        connection.execute(sa.update(campaigns.campaigns).values(state=State.FAILED, finished_at=None))
        connection.execute(sa.update(customers).where(customers.c.id == 4).values(name="改名"))
    log_path(logs, "a", 0).write_bytes(b"".join([LINES[0], b"a stray line\n", *LINES[1:8], LINES[9]]))
    return campaign


def answering(monkeypatch, answer):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(asking, "agrees", lambda question: answer)


def test_what_differs_is_shown_and_where_nobody_can_be_asked_nothing_is_done(app, sqlite, logs, failed):
    before = log_path(logs, "a", 0).read_bytes()

    ended = app("resume", "a")

    assert ended.code == 1
    assert SEEN in ended.out
    assert "a needs a confirmation, and there is no terminal to ask for it; pass --yes" in ended.err
    assert as_stored(sqlite, failed).state is State.FAILED
    assert log_path(logs, "a", 0).read_bytes() == before


def test_who_says_yes_beforehand_is_not_asked(app, sqlite, failed):
    ended = app("resume", "a", "--yes")

    assert (ended.code, as_stored(sqlite, failed).state) == (0, State.RUNNING)
    assert SEEN in ended.out


@pytest.mark.parametrize(("answer", "code", "state"), [(True, 0, State.RUNNING), (False, 1, State.FAILED)])
def test_a_person_is_asked(app, sqlite, failed, monkeypatch, answer, code, state):
    answering(monkeypatch, answer)

    ended = app("resume", "a")

    assert (ended.code, as_stored(sqlite, failed).state) == (code, state)


def test_where_nothing_differs_nobody_is_asked(app, sqlite, logs, failed):
    with writing(sqlite) as connection:
        connection.execute(sa.update(customers).where(customers.c.id == 4).values(name=CROWD[3][1]))
    log_path(logs, "a", 0).write_bytes(b"".join(LINES))

    ended = app("resume", "a")

    assert (ended.code, as_stored(sqlite, failed).state) == (0, State.RUNNING)
    assert "the logs are right: 10 messages" in ended.out


def test_a_log_that_is_gone_is_all_missing(app, logs, failed):
    log_path(logs, "a", 0).unlink()

    ended = app("resume", "a")

    assert ended.code == 1
    assert "in the logs 0 messages are right; 10 are missing, and will be sent\n" in ended.out


def test_a_paused_campaign_goes_on_without_a_question(app, sqlite):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 100)
    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.PAUSE)

    assert app("resume", "a").code == 0
    assert as_stored(sqlite, campaign).state is State.RUNNING


def test_a_failed_campaign_over_a_network_has_no_logs_to_compare(app, sqlite):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 100, gateway="net")
    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.FAIL, Sentence("plain", text="our signature is wrong"))

    ended = app("resume", "a")

    assert (ended.code, as_stored(sqlite, campaign).state) == (0, State.RUNNING)
    assert "logs" not in ended.out
