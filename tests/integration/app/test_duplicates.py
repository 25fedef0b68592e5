"""A number that several customers have gets one message of a campaign, and the lowest of their ids is the one."""

import json
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from app.campaigns.start import dispatch
from app.domain.campaign import Verb
from app.errors import BadRequest
from app.store import campaigns as store
from app.store.database import writing
from app.store.tables import rejects
from tests.integration.app.campaigns import trigger
from tests.integration.app.conftest import SHARD_SIZE
from tests.integration.app.people import expected_logs, logs_of, move_in, person
from tests.integration.app.serving import ON_SQLITE, WITHIN_S
from tests.waiting import until
from tests.words import refused

TWICE = {4: 3, 17: 3, 25: 3, 26: 14, 38: 37}
"""Customer: whose number he has, in the same shard and in lower ones."""
WRITTEN = {4: "+86{}", 17: "{}", 25: "{}", 26: "0086{}", 38: " {}"}
NAMELESS = 14


@pytest.fixture
def people(product):
    """Forty in four shards; 14 has no name, so 26 is the first who can be greeted at their number."""
    crowd = {number: person(number, f"客户{number}号") for number in range(1, 41)}
    for number, first in TWICE.items():
        crowd[number] = (number, f"客户{number}号", 1, WRITTEN[number].format(crowd[first][3]))
    crowd[NAMELESS] = (NAMELESS, " \u3000", 1, crowd[NAMELESS][3])
    move_in(product.database, list(crowd.values()))
    return crowd


def in_one_form(row):
    return (*row[:3], row[3].strip().removeprefix("+86").removeprefix("0086"))


def sent_to(people, *left_out):
    return expected_logs([in_one_form(row) for number, row in people.items() if number not in left_out], SHARD_SIZE)


ONCE = (4, 17, 25, 38)


def rejected(product):
    with product.database.connect() as connection:
        rows = connection.execute(sa.select(rejects.c.customer_id, rejects.c.reason).order_by(rejects.c.customer_id))
        return [tuple(row) for row in rows]


def messages(product, name):
    return {log: text for log, text in logs_of(product.logs, name).items() if not log.endswith(".rejects.log")}


def assert_once(product, people, name):
    assert product.wait_until_over(name) == "finished"
    assert messages(product, name) == sent_to(people, NAMELESS, *ONCE)
    reasons = {number: "no_name" if number == NAMELESS else "duplicate" for number in (NAMELESS, *ONCE)}
    assert rejected(product) == sorted(reasons.items())
    # who prepared it takes the numbers away after the word that it is prepared, and others send meanwhile
    until(lambda: not any((product.logs / ".numbers").iterdir()), within_s=WITHIN_S, what="no number stays")
    report = product.run("report", name)
    assert report.returncode == 0, report.stdout


def test_the_lowest_id_of_a_number_is_sent_and_the_others_are_rejected(product, people):
    product.start()

    product.ask("a")

    assert_once(product, people, "a")


def test_with_duplicates_allowed_everybody_is_sent(product, people):
    product.start()

    done = product.run("trigger", "a", "--allow-duplicates")

    assert done.returncode == 0
    assert product.wait_until_over("a") == "finished"
    assert messages(product, "a") == sent_to(people, NAMELESS)
    assert rejected(product) == [(NAMELESS, "no_name")]


WAITS = """
import os
import time
from app import console
from app.cli.main import cli
from app.dedupe import find_duplicates

note = find_duplicates._note

def wait(*arguments):
    while os.path.exists(os.environ["HELD_UP"]):
        time.sleep(0.02)
    return note(*arguments)

find_duplicates._note = wait
console.run(cli)
"""


@contextmanager
def held_up(product):
    """No campaign is noted as prepared; the server is to be started meanwhile."""
    marker = product.logs.parent / "held_up"
    marker.touch()
    product.program = ("-c", WAITS, "serve")
    product.environment["HELD_UP"] = str(marker)
    yield
    marker.unlink()


def is_read(product):
    return any((product.logs / ".numbers").glob("*/*.run"))


def test_a_server_killed_while_it_prepares_begins_again_at_the_next_start(product, people):
    trigger(product.database, "a", SHARD_SIZE, allow_duplicates=False)
    with held_up(product):
        product.start()
        until(lambda: is_read(product), within_s=WITHIN_S, what="numbers are read")
        product.kill_everything()
    assert is_read(product)
    assert product.sent() == 0

    product.start()

    assert_once(product, people, "a")


def test_a_task_worker_killed_while_it_prepares_is_made_good_without_a_restart(product, people):
    trigger(product.database, "a", SHARD_SIZE, allow_duplicates=False)
    with held_up(product):
        product.start()
        until(lambda: is_read(product), within_s=WITHIN_S, what="numbers are read")
        for number in range(4):
            product.child(f"sms: task worker {number}").kill()

    assert_once(product, people, "a")


def test_a_campaign_that_is_paused_before_it_is_prepared_waits_for_its_resume(product, people):
    campaign = trigger(product.database, "a", SHARD_SIZE, allow_duplicates=False)
    with writing(product.database) as connection:
        store.change(connection, campaign.id, Verb.PAUSE)
    product.start()
    product.ask("b")
    assert product.wait_until_over("b") == "finished"
    assert not any(path.exists() for path in (product.logs / "a").glob("*"))

    assert product.run("resume", "a").returncode == 0

    assert product.wait_until_over("a") == "finished"
    assert messages(product, "a") == sent_to(people, NAMELESS, *ONCE)


@ON_SQLITE
def test_who_watches_and_who_asks_sees_that_it_is_being_prepared(product, people):
    trigger(product.database, "a", SHARD_SIZE, allow_duplicates=False)
    with held_up(product):
        product.start()
        until(lambda: is_read(product), within_s=WITHIN_S, what="numbers are read")
        status = product.run("status", "a", "--json")
        table = product.run("status")
        with product.client() as client:
            client.send(json.dumps({"campaign": "a", "watch": True}))
            answer, first = json.loads(client.read_line()), json.loads(client.read_line())

    assert answer["state"] == "running"
    assert (first["state"], first["preparing"], first["sent"]) == ("running", True, 0)
    assert json.loads(status.stdout)["preparing"]
    assert "preparing" in table.stdout
    assert product.wait_until_over("a") == "finished"
    assert not json.loads(product.run("status", "a", "--json").stdout)["preparing"]


@pytest.mark.parametrize("chosen", [True, False])
def test_a_name_stands_for_one_choice_about_duplicates(sqlite, chosen):
    move_in(sqlite, [person(1)])
    trigger(sqlite, "a", 10, allow_duplicates=chosen)

    same = dispatch(sqlite, "a", 10, allow_duplicates=chosen)
    none = dispatch(sqlite, "a", 10)
    with refused(BadRequest, match="名称已用于另一条短信", language="zh"):
        dispatch(sqlite, "a", 10, allow_duplicates=not chosen)

    assert (same.created, none.created) == (False, False)


def test_a_new_campaign_sends_each_number_once_unless_told_otherwise(sqlite):
    move_in(sqlite, [person(1)])

    assert not dispatch(sqlite, "a", 10).campaign.allow_duplicates
    assert dispatch(sqlite, "b", 10, allow_duplicates=True).campaign.allow_duplicates
