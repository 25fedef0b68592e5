"""What holds for every path: health, the guard, and how errors look."""

import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from app.access import tokens
from app.domain.rights import Scope
from app.errors import UnknownCampaign, Unprotected
from app.web import server
from app.web.guard import HEADERS, MOST_BODY_BYTES, host_name
from app.web.server import check_loopback, check_reach
from tests.words import refused


def test_a_process_that_lives_says_so(client):
    assert client.get("/health/live").json() == {"status": "ok"}


def test_a_process_with_a_database_is_ready(client):
    assert client.get("/health/ready").status_code == 200


def test_a_process_without_a_database_lives_and_is_not_ready(client, tmp_path):
    (tmp_path / "sms.db").unlink()
    (tmp_path / "sms.db").mkdir()
    client.app.state.house.database.dispose()

    answer = client.get("/health/ready")

    assert client.get("/health/live").status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "trouble"


@pytest.mark.parametrize(
    ("kind", "number", "status", "code"),
    [(IntegrityError, 1062, 500, "broken"), (DataError, 1366, 500, "broken"), (OperationalError, 1366, 503, "trouble")],
)
def test_the_text_of_a_driver_is_neither_answered_nor_logged(client, caplog, kind, number, status, code):
    @client.app.get("/fails")
    def fails():
        raise kind("INSERT 13800000001", {}, Exception(number, "Duplicate entry '*-13800000001' for key 'PRIMARY'"))

    answer = client.get("/fails")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    said = [f"{vars(each)}" for each in caplog.records if each.name.startswith("app.")]
    assert f"{kind.__name__} {number}" in "".join(said)
    assert "13800000001" not in answer.text + "".join(said)


@pytest.mark.parametrize("path", ["/health/live", "/nowhere", "/../../etc/passwd"])
def test_every_answer_forbids_what_a_browser_need_not_do(client, path):
    headers = client.get(path).headers

    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_what_is_not_there_is_a_problem_in_the_language_asked_for(client):
    answer = client.get("/nowhere", headers={"accept-language": "zh"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "这里没有内容",
        "code": "not_found",
    }


def test_the_language_that_was_chosen_goes_before_the_browsers(client):
    client.cookies.set("language", "en")

    assert client.get("/nowhere", headers={"accept-language": "zh"}).json()["detail"] == "there is nothing here"


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client):
    answer = client.post("/health/live")

    assert (answer.status_code, answer.headers["allow"], answer.json()["code"]) == (405, "GET", "wrong_method")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_a_name_that_is_not_ours_gets_nothing(client, host):
    answer = client.get("/health/live", headers={"host": host})

    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost:8000", "localhost"), ("LOCALHOST", "localhost"), ("[::1]:8000", "[::1]"), ("[::1]", "[::1]")],
)
def test_a_host_is_taken_apart(host, name):
    assert host_name(host) == name


def test_a_body_that_is_announced_as_too_long_is_not_read(client):
    answer = client.post("/nowhere", content=b"x", headers={"content-length": str(MOST_BODY_BYTES + 1)})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_request_of_two_lengths_is_refused(client):
    headers = {"content-length": "1", "transfer-encoding": "chunked"}

    answer = client.post("/login", content=b"x", headers=headers)

    assert (answer.status_code, answer.json()["code"], answer.headers["connection"]) == (400, "two_lengths", "close")


@pytest.mark.parametrize(("count", "status"), [(80, 200), (101, 431)])
def test_a_request_of_very_many_headers_is_refused(client, count, status):
    assert client.get("/health/live", headers={f"x-{each}": "a" for each in range(count)}).status_code == status


def test_a_body_that_grows_too_long_is_not_read_either_where_it_is_json(client, database):
    token = tokens.add(database, "program", list(Scope), None)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    answer = client.post("/api/v1/opt-outs", content=(b" " * 2**16 for _ in range(17)), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def with_route(client: TestClient, error: Exception) -> TestClient:
    app = client.app
    assert isinstance(app, FastAPI)

    @app.get("/breaks")
    def breaks(number: int = 1) -> None:
        raise error

    return client


def test_an_error_of_ours_is_a_problem_with_its_code(client):
    answer = with_route(client, UnknownCampaign("spring")).get("/breaks")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_campaign")
    assert "spring" in answer.json()["detail"]


def test_a_parameter_that_is_none_is_a_problem_of_ours_and_not_of_the_framework(client):
    answer = with_route(client, UnknownCampaign("spring")).get("/breaks?number=x")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["detail"].startswith("number: ")


def test_what_nobody_expected_tells_a_stranger_nothing(client):
    answer = with_route(client, RuntimeError("secret")).get("/breaks")

    assert (answer.status_code, answer.json()["code"]) == (500, "broken")
    assert "secret" not in answer.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_without_a_proxy_the_pages_are_for_this_machine_alone(settings, host):
    with refused(Unprotected, "can be reached from other machines"):
        check_reach(settings.model_copy(update={"sms_web_host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_they_are_served(settings, host):
    check_reach(settings.model_copy(update={"sms_web_host": host}))


@pytest.mark.parametrize("published", ["127.0.0.1:8000", "localhost:80", "[::1]:8000"])
def test_in_a_container_they_are_served_where_the_port_is_published_on_loopback(published):
    check_loopback("0.0.0.0", published)


@pytest.mark.parametrize("published", ["0.0.0.0:8000", "192.0.2.1:8000", ":8000", "8000", "127.0.0.1", "yes"])
def test_a_port_that_is_published_for_others_is_none(published):
    with refused(Unprotected, "SMS_WEB_PUBLISHED"):
        check_loopback("0.0.0.0", published)


def test_a_stop_does_not_wait_for_a_thread_that_goes_on_and_on(monkeypatch):
    ended, exits = threading.Event(), []
    monkeypatch.setattr(server, "THREADS_END_WITHIN_S", 0.1)
    monkeypatch.setattr("os._exit", exits.append)
    search = threading.Thread(target=ended.wait, args=(60,))
    search.start()
    try:
        server._give_up_threads()
    finally:
        ended.set()
        search.join()

    assert exits == [0]
