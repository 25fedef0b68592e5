"""Who is let in to the pages, by a form, and how long."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.access import login, users
from app.domain.actor import Via
from app.domain.rights import Role
from app.errors import TooBusy
from app.store.access_tables import sessions
from app.store.database import writing
from app.store.tables import trail
from app.web.house import MOST_AT_THE_DOOR
from app.web.streams import Streams
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import move_in, person
from tests.unit.app.web.test_pages import text_of
from tests.unit.app.web.visitors import OURS, PASSWORD, log_in
from tests.waiting import until

WRONG = "wrong horse battery"


def go(client, path, **headers):
    return client.get(path, headers=headers, follow_redirects=False)


@pytest.mark.parametrize("path", ["/login", "/language"])
def test_of_a_stranger_no_large_form_is_read(client, accounts, path):
    assert client.post(path, data={"name": "a" * 2**14}, headers=OURS).status_code == 413


def test_what_is_no_address_leads_nowhere(client, accounts):
    assert 'name="next" value="/"' in go(client, "/login?next=//[").text
    assert client.post("/login", data={}, headers={"origin": "http://["}).status_code == 403


def test_nobody_watches_so_much_that_others_find_no_place(client, accounts, monkeypatch):
    log_in(client, "viewer")
    monkeypatch.setattr("app.web.streams.MOST_OF_ONE", 0)

    assert go(client, "/live/").status_code == 503
    assert go(client, "/part/").status_code == 200


def test_a_place_is_free_again_once_nobody_watches(monkeypatch):
    monkeypatch.setattr("app.web.streams.MOST_OF_ONE", 1)
    monkeypatch.setattr("app.web.streams.MOST", 2)
    streams = Streams()
    with streams.place("ada"):
        streams.check("bob")
        with pytest.raises(TooBusy):
            streams.check("ada")
        with streams.place("bob"), pytest.raises(TooBusy):
            streams.check("cid")
    streams.check("ada")


def test_without_accounts_everybody_on_this_machine_may_look(client):
    assert go(client, "/").status_code == 200
    assert "read only: no accounts yet" in text_of(go(client, "/"))
    assert "python -m app users add" in text_of(go(client, "/login"))


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/", "/login"),
        ("/campaigns/spring", "/login?next=/campaigns/spring"),
        ("/?state=failed&before=9", "/login?next=/%3Fstate%3Dfailed%26before%3D9"),
        ("/campaigns/a%2Fb", "/login?next=/campaigns/a%252Fb"),
        ("/nowhere", "/login?next=/nowhere"),
        ("/openapi.json", "/login?next=/openapi.json"),
    ],
)
def test_with_accounts_a_stranger_is_led_to_the_login(client, accounts, path, where):
    answer = go(client, path)

    assert (answer.status_code, answer.headers["location"]) == (303, where)


@pytest.mark.parametrize("path", ["/part/", "/live/", "/part/system", "/live/campaigns/spring"])
def test_what_a_page_asks_for_by_itself_is_told_that_nobody_is_logged_in(client, accounts, path):
    answer = go(client, path)

    assert (answer.status_code, answer.json()["code"]) == (401, "no_session")


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/login"])
def test_who_needs_no_account_goes_on_without(client, accounts, path):
    assert go(client, path).status_code == 200


def test_who_logs_in_comes_to_the_page_that_they_wanted_and_is_named_there(client, accounts):
    answer = log_in(client, "Operator", next="/system")

    assert (answer.status_code, answer.headers["location"]) == (303, "/system")
    assert "operator (operator)" in text_of(go(client, "/system"))


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_nobody_is_led_elsewhere_by_a_login(client, accounts, wanted):
    assert 'name="next" value="/"' in go(client, f"/login?next={wanted}").text
    assert log_in(client, "viewer", next=wanted).headers["location"] == "/"
    assert go(client, f"/login?next={wanted}").headers["location"] == "/"


@pytest.mark.parametrize(
    "wanted",
    [
        "/system/gateways",
        "/new/preview",
        "/logout",
        "/nowhere",
        "/part/system",
        "/live/",
        "/api/v1/campaigns",
        "/metrics",
    ],
)
def test_a_login_leads_to_no_more_than_a_page_that_can_be_read(client, accounts, wanted):
    assert log_in(client, "operator", next=wanted).headers["location"] == "/"
    assert go(client, f"/login?next={wanted}").headers["location"] == "/"


@pytest.mark.parametrize("wanted", ["/?state=failed&before=9", "/campaigns/spring/pause", "/campaigns/a%20b", "/audit"])
def test_a_login_leads_back_to_every_page(client, accounts, wanted):
    assert log_in(client, "operator", next=wanted).headers["location"] == wanted


def test_who_chooses_a_language_on_what_a_form_was_answered_with_comes_to_a_page(client, accounts):
    log_in(client, "operator")
    form = {"here": "/system/gateways", "language": "zh"}

    answer = client.post("/language", data=form, headers=OURS, follow_redirects=False)

    assert answer.headers["location"] == "/"


def test_the_cookie_is_for_us_alone_and_no_script_reads_it(client, accounts):
    cookie = log_in(client, "viewer").headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "Max-Age" not in cookie


def test_every_failure_has_the_same_answer(client, accounts):
    users.disable(accounts, "admin")

    found = [
        log_in(client, "viewer", WRONG),
        log_in(client, "nobody", PASSWORD),
        log_in(client, "admin", PASSWORD),
        log_in(client, "", ""),
    ]

    assert {each.status_code for each in found} == {403}
    assert len({text_of(each) for each in found}) == 1
    assert "set-cookie" not in found[0].headers


def test_who_is_wrong_too_often_waits_and_the_answer_is_the_same(client, accounts, monkeypatch):
    waits = login.wait
    monkeypatch.setattr(login, "wait", lambda failures: 1_000 * waits(failures))  # a second may go by meanwhile
    said = {text_of(log_in(client, "viewer", WRONG)) for _ in range(login.FREE_TRIES + 2)}

    assert said == {text_of(log_in(client, "viewer", PASSWORD))}


def test_a_name_that_was_typed_stays_and_the_password_does_not(client, accounts):
    text = log_in(client, '"><script>', WRONG).text

    assert 'value="&#34;&gt;&lt;script&gt;"' in text
    assert WRONG not in text


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}])
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_no_page_of_somebody_else_logs_anybody_in_or_out(client, accounts, path, headers):
    if path == "/logout":
        log_in(client, "viewer")

    answer = client.post(path, data={"name": "viewer", "password": PASSWORD}, headers=headers, follow_redirects=False)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_who_logs_out_is_known_by_nothing_any_more(client, accounts):
    log_in(client, "viewer")
    secret = client.cookies["session"]

    answer = client.post("/logout", headers=OURS, follow_redirects=False)

    assert answer.headers["location"] == "/login"
    assert "session" not in client.cookies
    assert go(client, "/", cookie=f"session={secret}").status_code == 303


def test_who_is_logged_in_goes_on_from_the_login(client, accounts):
    log_in(client, "viewer")

    assert go(client, "/login?next=/system").headers["location"] == "/system"


@pytest.mark.parametrize("path", ["/login", "/language"])
def test_what_is_no_form_of_ours_is_refused_and_fills_no_log(client, accounts, caplog, path):
    answer = client.post(path, content="&".join(f"f{n}=1" for n in range(200)), headers=OURS)

    assert answer.status_code == 400
    assert not [each for each in caplog.records if each.exc_info]


def test_a_session_is_another_one_after_each_login(client, accounts):
    client.cookies.set("session", "of-somebody-elses-choosing", domain="127.0.0.1", path="/")

    log_in(client, "viewer")
    first = client.cookies["session"]
    log_in(client, "operator")

    assert len({first, client.cookies["session"], "of-somebody-elses-choosing"}) == 3
    with accounts.connect() as connection:
        assert connection.execute(sa.select(sessions.c.user)).scalars().all() == ["operator"]


def test_a_session_in_which_nothing_was_done_for_long_is_none(client, accounts):
    log_in(client, "viewer")
    with writing(accounts) as connection:
        long_ago = datetime.now(UTC) - login.IDLE - timedelta(seconds=2)
        connection.execute(sa.update(sessions).values(seen_at=long_ago))

    answer = go(client, "/people")

    assert answer.headers["location"] == "/login?next=/people"
    assert "not logged in any more" in text_of(go(client, "/login"))


def test_a_page_that_renews_itself_keeps_no_session_alive(client, accounts):
    log_in(client, "viewer")
    some_time_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    with writing(accounts) as connection:
        connection.execute(sa.update(sessions).values(seen_at=some_time_ago))

    assert go(client, "/part/").status_code == 200
    with accounts.connect() as connection:
        assert connection.execute(sa.select(sessions.c.seen_at)).scalar_one() == some_time_ago
    go(client, "/")
    with accounts.connect() as connection:
        assert connection.execute(sa.select(sessions.c.seen_at)).scalar_one() > some_time_ago


def test_who_is_disabled_is_out_at_once(client, accounts):
    log_in(client, "viewer")

    users.disable(accounts, "viewer")

    assert go(client, "/").status_code == 303


def test_another_role_counts_from_the_next_step_on(client, accounts):
    log_in(client, "viewer")

    users.set_role(accounts, "viewer", Role.ADMIN)

    assert "viewer (admin)" in text_of(go(client, "/"))


def test_a_login_stands_in_the_trail_with_its_address(client, accounts):
    log_in(client, "viewer")

    with accounts.connect() as connection:
        row = connection.execute(sa.select(trail).order_by(trail.c.id.desc())).first()
    assert (row.who, row.via, row.address, row.deed) == ("viewer", Via.PAGES, "testclient", "log_in")


def test_a_crowd_at_the_door_is_told_to_come_again(client, accounts, monkeypatch):
    """Passwords are looked at one by one; who would wait for too many is answered at once."""
    gate, asked = threading.Semaphore(0), []

    def slow(*_):
        asked.append(1)
        gate.acquire(timeout=60)
        return "secret"

    monkeypatch.setattr("app.web.entrance.log_in", slow)
    statuses = []
    crowd = [
        threading.Thread(target=lambda: statuses.append(log_in(client, "viewer").status_code))
        for _ in range(MOST_AT_THE_DOOR)
    ]
    house = client.app.state.house
    for each in crowd:
        each.start()
    until(lambda: house.logging_in.count == MOST_AT_THE_DOOR and asked, within_s=60, what="all of them wait")

    refused = log_in(client, "viewer")

    assert (refused.status_code, refused.headers["retry-after"], len(asked)) == (503, "5", 1)
    for _ in crowd:
        gate.release()
    for each in crowd:
        each.join()
    assert statuses == [303] * MOST_AT_THE_DOOR


def test_who_watches_is_let_go_once_they_are_logged_out(client, accounts):
    move_in(accounts, [person(5)])
    trigger(accounts, "spring", 10)
    log_in(client, "viewer")
    house = client.app.state.house
    monkey = pytest.MonkeyPatch()
    monkey.setattr("app.web.live.HEARTBEAT_S", 0.1)

    with client.stream("GET", "/live/campaigns/spring") as stream:
        lines = stream.iter_lines()
        next(lines)
        users.disable(accounts, "viewer")
        for _ in lines:
            pass

    monkey.undo()
    assert not house.live._rooms
