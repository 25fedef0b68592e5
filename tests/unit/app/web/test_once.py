"""What is asked with an Idempotency-Key is done once, and answered the same; a trial message is never sent twice."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.access import tokens
from app.campaigns import opt_outs as use_case
from app.domain.delivery import Delivery
from app.domain.rights import Scope
from app.gateways.base import Answer
from app.store import idempotency
from app.store.access_tables import idempotency as rows
from app.store.database import writing
from app.web.api import gateways
from app.web.house import MOST_IMPORTS
from tests.integration.app.network import Network
from tests.unit.app.web.test_gateways import settings  # noqa: F401  with a gateway
from tests.waiting import until

API = "/api/v1"
NUMBER = "13800000001"


@pytest.fixture
def api(client, database):
    """Asks with a token that may operate."""
    client.headers["authorization"] = f"Bearer {tokens.add(database, 'program', [Scope.OPERATE], None)}"
    return client


@pytest.fixture
def network(monkeypatch):
    """Takes the place of every gateway."""
    network = Network()
    monkeypatch.setattr(gateways, "network_of", lambda *_: network)
    return network


def take_in(api, numbers, key):
    return api.post(f"{API}/opt-outs/imports", json={"numbers": numbers}, headers={"idempotency-key": key})


def try_out(api, key=None, text="hello"):
    headers = {"idempotency-key": key} if key else {}
    return api.post(f"{API}/gateways/net/trials", json={"number": NUMBER, "text": text}, headers=headers)


def age(database, by):
    with writing(database) as connection:
        for row in connection.execute(sa.select(rows)).all():
            connection.execute(rows.update().where(rows.c.hash == row.hash).values(asked_at=row.asked_at - by))


def break_off(database):
    """As if the process had died in the middle."""
    with writing(database) as connection:
        connection.execute(rows.update().values(answer=None))


def test_an_import_with_the_same_key_is_answered_as_it_was(api):
    first, again, other = (take_in(api, [NUMBER], key) for key in ("a", "a", "b"))

    assert first.json() == again.json() == {"given": 1, "added": 1}
    assert other.json() == {"given": 1, "added": 0}


def test_another_body_under_the_same_key_is_refused(api):
    take_in(api, [NUMBER], "a")

    answer = take_in(api, ["13800000002"], "a")

    assert (answer.status_code, answer.json()["code"]) == (422, "same_key")


def test_another_ones_key_is_another_key(api, database):
    take_in(api, [NUMBER], "a")
    other = {"authorization": f"Bearer {tokens.add(database, 'other', [Scope.OPERATE], None)}"}
    api.app.state.house.keys._looked_at = None

    answer = api.post(
        f"{API}/opt-outs/imports", json={"numbers": ["13800000002"]}, headers={"idempotency-key": "a", **other}
    )

    assert answer.json() == {"given": 1, "added": 1}


def test_neither_key_nor_number_is_kept_and_a_day_later_nothing(api, database):
    take_in(api, [NUMBER], "secret-key")
    with database.connect() as connection:
        (row,) = connection.execute(sa.select(rows)).all()
    assert "secret-key" not in str(row) and NUMBER not in str(row)

    age(database, timedelta(days=1, seconds=1))
    assert take_in(api, [NUMBER], "secret-key").json()["added"] == 0


def test_what_somebody_asked_who_asks_no_more_is_forgotten_as_others_ask(api, database):
    with writing(database) as connection:
        for who in ("!before", "gone", "~after"):
            idempotency.begin(connection, "hash", who, "body", None)
    age(database, timedelta(days=1, seconds=1))

    for key in "abc":
        take_in(api, [NUMBER], key)

    with database.connect() as connection:
        assert set(connection.scalars(sa.select(rows.c.who))).isdisjoint({"!before", "gone", "~after"})


def test_no_more_keys_are_kept_than_there_is_room_for(api, monkeypatch):
    monkeypatch.setattr(idempotency, "MOST_KEPT", 2)

    assert [take_in(api, [NUMBER], key).status_code for key in "aabc"] == [200, 200, 200, 503]


def test_an_import_that_broke_off_is_done_again_a_minute_later(api, database):
    take_in(api, [NUMBER], "a")
    break_off(database)
    assert take_in(api, [NUMBER], "a").status_code == 409

    age(database, timedelta(minutes=1, seconds=1))
    assert take_in(api, [NUMBER], "a").json() == {"given": 1, "added": 0}


def test_imports_are_done_one_after_the_other_and_hold_nobody_else_up(api, monkeypatch):
    gate, statuses = threading.Event(), []
    monkeypatch.setattr(use_case, "take_in", lambda *_: int(gate.wait(60)))

    def ask(how):
        thread = threading.Thread(target=lambda: statuses.append(how().status_code))
        thread.start()
        return thread

    crowd = [ask(lambda: take_in(api, [NUMBER], "a")) for _ in range(MOST_IMPORTS)]
    try:
        importing = api.app.state.house.importing
        until(lambda: importing.count == MOST_IMPORTS, what="all of them wait")
        crowd.append(ask(lambda: api.get("/")))
        until(lambda: statuses == [200], what="a page is shown")
        refused = take_in(api, [NUMBER], "b")
    finally:
        gate.set()
        for each in crowd:
            each.join()

    assert (refused.status_code, refused.json()["code"]) == (503, "too_busy")
    assert set(statuses) == {200}


@pytest.mark.parametrize("key", ["", "a" * 129, "with blank"])
def test_a_key_that_is_none_is_refused(api, key):
    assert take_in(api, [NUMBER], key).status_code == 422


def test_a_message_to_try_a_gateway_is_sent_and_told_with_its_number_masked(api, network):
    answer = try_out(api)

    assert answer.json() == {
        "number": "138****0001",
        "text": "hello",
        "parts": 1,
        "state": "accepted",
        "error": "",
        "provider_ids": ["id-0"],
    }
    assert network.numbers == {int(NUMBER): 1}


def test_one_with_a_key_is_sent_once(api, network):
    first, again = try_out(api, "a"), try_out(api, "a")

    assert first.json() == again.json()
    assert try_out(api, "a", "other").status_code == 422
    assert len(network.log) == 1


def test_one_of_which_nobody_knows_how_it_ended_is_never_sent_again(api, network, database):
    try_out(api, "a")
    break_off(database)
    age(database, timedelta(hours=23))

    answer = try_out(api, "a")

    assert (answer.status_code, answer.json()["code"], len(network.log)) == (409, "same_key", 1)


def test_one_that_was_not_sent_may_be_asked_for_again_with_its_key(api, network):
    network.is_away = True
    away = try_out(api, "a")
    network.is_away = False

    assert (away.status_code, try_out(api, "a").status_code, len(network.log)) == (503, 200, 1)


def test_one_that_is_refused_says_why(api, network):
    network.fate = lambda _, each: Answer(each.token, Delivery.REFUSED, error="ESME_RINVDSTADR")

    answer = try_out(api).json()

    assert (answer["state"], answer["error"], answer["provider_ids"]) == ("refused", "ESME_RINVDSTADR", [])
