"""What people do to a campaign on its page, without a browser."""

import re
import threading

import pytest
import sqlalchemy as sa

from app.domain.actor import Deed
from app.domain.campaign import State, Verb
from app.domain.delivery import Delivery
from app.domain.differences import Differences
from app.errors import LogUnusable
from app.sentence import Sentence
from app.store import campaigns as rows
from app.store import trail
from app.store.database import writing
from app.store.tables import shards
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import crowd, move_in, person
from tests.integration.app.test_receipts import recorded
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, log_in
from tests.waiting import until

HTML = {"accept": "text/html"}


@pytest.fixture
def spring(accounts):
    move_in(accounts, [person(5)])
    campaign = trigger(accounts, "spring", 10)
    change_shard(accounts, campaign, sent=3, male=3, audience=5, last_id=4)
    return campaign


@pytest.fixture
def operator(client, spring):
    log_in(client, "operator")
    return client


def do(client, path, headers=OURS, **fields):
    return client.post(path, data=fields, headers={**HTML, **headers}, follow_redirects=False)


def state_of(database, name="spring"):
    with database.connect() as connection:
        return rows.find(connection, name).state


def trail_of(database, *deeds):
    with database.connect() as connection:
        return [each for each in trail.newest(connection, 50) if each.deed in deeds]


def buttons_of(page):
    """Words of those that are to be seen."""
    verbs = re.search(r'<div class="verbs">(.*?)</div>', page, re.DOTALL)[1]
    shown = re.sub(r"<(a|form)[^>]* hidden>.*?</\1>", "", verbs, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", shown).split()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.RUNNING, ["Pause", "Cancel…", "Verify"]),
        (State.PAUSED, ["Resume", "Cancel…", "Verify"]),
        (State.FAILED, ["Resume…", "Cancel…", "Verify"]),
        (State.CANCELLED, ["Verify"]),
    ],
)
def test_an_operator_has_the_buttons_of_the_state(operator, accounts, spring, state, expected):
    verbs = {State.PAUSED: Verb.PAUSE, State.FAILED: Verb.FAIL, State.CANCELLED: Verb.CANCEL}
    if state in verbs:
        with writing(accounts) as connection:
            rows.change(connection, spring.id, verbs[state])

    assert buttons_of(operator.get("/campaigns/spring").text) == expected


@pytest.mark.parametrize("role", ["viewer", "nobody yet"])
def test_who_may_not_act_has_no_buttons_and_is_refused(client, database, request, role):
    if role == "viewer":
        request.getfixturevalue("accounts")
        log_in(client, "viewer")
    move_in(database, [person(5)])
    trigger(database, "spring", 10)

    page = client.get("/campaigns/spring").text
    answers = [do(client, f"/campaigns/spring/{verb}") for verb in ("pause", "resume", "cancel", "retry")]
    asked = [client.get(f"/campaigns/spring/{verb}", headers=HTML) for verb in ("pause", "cancel", "retry")]

    assert buttons_of(page) == ["Verify"]
    assert {each.status_code for each in [*answers, *asked]} == {403}
    assert state_of(database) is State.RUNNING
    assert ("users add" in text_of(answers[0])) is (role != "viewer")


def test_pause_says_that_nothing_goes_out_any_more(operator, accounts):
    answer = do(operator, "/campaigns/spring/pause")

    assert (answer.status_code, answer.headers["location"]) == (303, "/campaigns/spring")
    assert "0 still sending. 3 sent." in text_of(operator.get("/campaigns/spring"))


def test_who_still_sends_is_counted(operator, accounts, spring):
    with writing(accounts) as connection:
        rows.change(connection, spring.id, Verb.PAUSE)
    change_shard(accounts, spring, owner="elsewhere", lease_until_ms=4_000_000_000_000)

    assert "1 still sending. 3 sent." in text_of(operator.get("/campaigns/spring"))


def test_each_verb_stands_in_the_trail_with_who_and_from_where(operator, accounts):
    for verb in ("pause", "resume", "cancel"):
        do(operator, f"/campaigns/spring/{verb}")

    found = trail_of(accounts, Deed.PAUSE, Deed.RESUME, Deed.CANCEL)
    assert [(each.deed, each.after["state"]) for each in reversed(found)] == [
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
    ]
    assert {(each.who, each.via, each.address) for each in found} == {("operator", "pages", "testclient")}


def test_a_double_click_does_it_once(operator, accounts):
    first, second = do(operator, "/campaigns/spring/pause"), do(operator, "/campaigns/spring/pause")

    assert (first.status_code, second.status_code) == (303, 303)
    assert len(trail_of(accounts, Deed.PAUSE)) == 1


def test_what_cannot_be_done_in_a_state_is_said(operator, accounts):
    do(operator, "/campaigns/spring/cancel")

    answer = do(operator, "/campaigns/spring/resume")

    assert answer.status_code == 409
    assert "cancelled" in text_of(answer)
    assert operator.get("/campaigns/spring/pause", headers=HTML).status_code == 409


def test_who_changed_something_sees_it_at_once(operator):
    operator.get("/campaigns/spring")

    do(operator, "/campaigns/spring/pause")

    assert "paused" in text_of(operator.get("/campaigns/spring"))


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_without_scripts_a_page_of_its_own_asks(operator, verb):
    page = operator.get(f"/campaigns/spring/{verb}")

    assert f'action="/campaigns/spring/{verb}"' in page.text
    assert 'href="/campaigns/spring"' in page.text


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}])
def test_a_form_of_somebody_elses_page_does_nothing(operator, accounts, headers):
    assert do(operator, "/campaigns/spring/pause", headers).status_code == 403
    assert state_of(accounts) is State.RUNNING


@pytest.mark.parametrize(
    ("path", "status"),
    [("/campaigns/nobody/pause", 404), ("/campaigns/spring/explode", 422), ("/campaigns/..%2f..%2fetc/pause", 404)],
)
def test_what_is_not_there_is_refused(operator, path, status):
    assert do(operator, path).status_code == status


def test_who_is_logged_out_meanwhile_comes_back_to_the_question_and_nothing_is_done(client, spring, accounts):
    answer = do(client, "/campaigns/spring/pause")

    assert answer.headers["location"] == "/login?next=/campaigns/spring/pause"
    log_in(client, "operator")
    assert client.get("/campaigns/spring/pause").status_code == 200
    assert state_of(accounts) is State.RUNNING


def test_one_that_failed_is_compared_before_one_is_asked(operator, accounts, spring):
    with writing(accounts) as connection:
        rows.change(connection, spring.id, Verb.FAIL, Sentence("log_damaged.missing", path="x.log", why="gone"))
        connection.execute(sa.update(shards).values(sent=0, last_id=0, male=0))

    page = operator.get("/campaigns/spring/resume")

    assert "the logs are right: 0 messages" in text_of(page)
    assert do(operator, "/campaigns/spring/resume").status_code == 303
    assert state_of(accounts) is State.RUNNING


@pytest.fixture
def failed(operator, accounts, spring):
    with writing(accounts) as connection:
        rows.change(connection, spring.id, Verb.FAIL, Sentence("log_damaged.missing", path="x.log", why="gone"))
    return operator


def test_while_logs_are_compared_the_page_says_how_far_that_is_and_asks_after_it(failed, accounts, monkeypatch):
    gate, begun = threading.Event(), threading.Semaphore(0)

    def slow(_database, _log_dir, _now, on_task=lambda *_: None):
        on_task(1, 3)
        begun.release()
        gate.wait(10)
        return Differences(right=7, kept=0, missing=2, left_over=0)

    monkeypatch.setattr("app.audit.compare_logs.compare_logs", slow)
    first = failed.get("/campaigns/spring/resume").text
    assert begun.acquire(timeout=30)
    meanwhile = [failed.get(f"{part}/campaigns/spring/resume").text for part in ("", "/part")]
    gate.set()
    until(lambda: "2 are missing" in text_of(failed.get("/part/campaigns/spring/resume")), what="it is compared")
    after = failed.get("/campaigns/spring/resume").text

    for each in [first, *meanwhile]:
        assert "being compared" in each
        assert 'action="/campaigns/spring/resume"' not in each
    assert all("1 of 3 tasks" in each for each in meanwhile)
    assert "2 are missing" in after
    assert 'action="/campaigns/spring/resume"' in after
    assert not begun.acquire(blocking=False)


def test_who_looks_again_has_the_logs_compared_again(failed, monkeypatch):
    found = iter([Differences(0, 0, missing, 0) for missing in (2, 3)])
    monkeypatch.setattr("app.audit.compare_logs.compare_logs", lambda *_: next(found))

    first, second = (text_of(failed.get("/campaigns/spring/resume")) for _ in range(2))

    assert "2 are missing" in first
    assert "3 are missing" in second


def test_why_logs_cannot_be_compared_is_said_and_nobody_is_asked(failed, monkeypatch):
    def breaks(*_):
        raise LogUnusable("log_damaged.missing", path="x.log", why="gone")

    monkeypatch.setattr("app.audit.compare_logs.compare_logs", breaks)

    page = failed.get("/campaigns/spring/resume").text

    assert "could not be compared" in page
    assert "x.log" in page
    assert 'action="/campaigns/spring/resume"' not in page


def test_nobody_else_sees_what_logs_differ_in(failed):
    log_in(failed, "viewer")

    assert failed.get("/part/campaigns/spring/resume").status_code == 403
    assert failed.get("/live/campaigns/spring/resume").status_code == 403


# ── messages that are tried again ───────────────────────────────────────────────────────────────


@pytest.fixture
def net(client, accounts):
    move_in(accounts, crowd(10))
    recorded(accounts, "net", [Delivery.ACCEPTED, Delivery.REFUSED, Delivery.UNKNOWN, Delivery.REFUSED])
    with writing(accounts) as connection:
        connection.execute(sa.update(shards).values(lease_until_ms=0))
    log_in(client, "operator")
    return client


def test_what_can_be_tried_again_is_counted_and_chosen(net, accounts):
    page = text_of(net.get("/campaigns/net/retry"))
    answer = do(net, "/campaigns/net/retry", state="refused")

    assert "refused: 2" in page
    assert "unknown: 1" in page
    assert answer.status_code == 303
    assert "to be tried again, refused: 2" in text_of(net.get("/campaigns/net"))
    assert 'class="notice"' not in net.get("/campaigns/net").text
    (entry,) = trail_of(accounts, Deed.RETRY)
    assert (entry.who, entry.campaign) == ("operator", "net")


def test_a_retry_that_takes_long_holds_no_pause_up(net, monkeypatch):
    begun, ended = threading.Semaphore(0), threading.Event()

    def retry(*_):
        begun.release()
        assert ended.wait(30)
        return 0

    monkeypatch.setattr("app.web.verbs.trying_again.retry", retry)
    again = {"target": do, "args": (net, "/campaigns/net/retry"), "kwargs": {"state": "refused"}}
    retries = [threading.Thread(**again) for _ in range(3)]
    for each in retries:
        each.start()
    assert begun.acquire(timeout=30)
    try:
        assert do(net, "/campaigns/net/pause").status_code in {303, 409}
    finally:
        ended.set()
        for each in retries:
            each.join(30)


def test_those_whose_task_is_at_work_are_named(net, accounts):
    with writing(accounts) as connection:
        connection.execute(sa.update(shards).values(lease_until_ms=4_000_000_000_000))

    do(net, "/campaigns/net/retry", state="refused")

    assert "2 are as before: their tasks are at work at this moment" in text_of(net.get("/campaigns/net"))


def test_those_in_doubt_are_tried_again_only_by_who_knows_what_that_may_mean(net, accounts):
    refused = do(net, "/campaigns/net/retry", state="unknown")

    assert refused.status_code == 400
    assert trail_of(accounts, Deed.RETRY) == []
    assert do(net, "/campaigns/net/retry", state="unknown", twice="on").status_code == 303
    assert len(trail_of(accounts, Deed.RETRY)) == 1


@pytest.mark.parametrize("state", ["", "delivered", "<script>"])
def test_what_is_no_choice_is_asked_again(net, accounts, state):
    assert do(net, "/campaigns/net/retry", state=state).status_code == 400


def test_a_campaign_of_logs_has_nothing_to_try_again(operator):
    assert operator.get("/campaigns/spring/retry", headers=HTML).status_code == 409
