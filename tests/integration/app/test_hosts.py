"""Who of a fleet is there, as `hosts` and `doctor` tell it."""

import json
import time

import pytest
import sqlalchemy as sa

from app import config
from app.doctor import fleet as doctor
from app.doctor.finding import Verdict
from app.doctor.fleet import Broker
from app.gateways.log_file.folder import owner_of
from app.runners.heart import Heart
from app.store import hosts, tables
from app.store.database import writing
from app.store.hosts import SERVER, WORKER
from tests.integration.app.serving import ON_SQLITE, WITHIN_S
from tests.waiting import until
from tests.words import words

BROKER = Broker("RabbitMQ", "3.10.8", "sms.shards", is_there=True, other="")


def beat(database, host, process, kind, places=0, in_hand=0):
    with writing(database) as connection:
        hosts.beat(connection, host, process, kind, places, in_hand)


def test_a_host_is_shown_with_what_all_its_processes_have_in_hand(app, database):
    began = time.monotonic()
    beat(database, "w1", "worker:1", WORKER, 4, 3)
    beat(database, "w1", "worker:2", WORKER, 2, 1)
    beat(database, "w1", "worker:2", WORKER, 2, 2)
    beat(database, "s1", "server:9", SERVER)
    took_ms = (time.monotonic() - began) * 1000
    with database.connect() as connection:
        known = hosts.known(connection)
        places = hosts.places(connection)

    assert [(each.host, each.in_hand, each.is_alive) for each in known] == [
        ("s1", 0, True),
        ("w1", 3, True),
        ("w1", 2, True),
    ]
    assert places == 6
    assert all(abs(each.clock_ms) <= took_ms + 2 for each in known)


def test_the_command_lists_hosts_for_people_and_for_programs(app, sqlite):
    beat(sqlite, "w1", "worker:1", WORKER, 4, 3)
    beat(sqlite, "w1", "server:2", SERVER)
    beat(sqlite, "w2", "worker:1", WORKER, 4, 1)
    with writing(sqlite) as connection:
        dead = sa.update(tables.hosts).where(tables.hosts.c.host == "w2")
        connection.execute(dead.values(seen_ms=1_000, clock_ms=-60_000))

    shown, facts = app("hosts").out, json.loads(app("hosts", "--json").out)

    assert all(each in shown for each in ("w1", "server + worker", "3/4", "not alive", "-60,000 ms"))
    assert [(each["host"], each["in_hand"], each["alive"]) for each in facts] == [("w1", 3, True), ("w2", 0, False)]
    assert (facts[1]["last_seen"], facts[1]["clock_ms"]) == ("1970-01-01T00:00:01.000+00:00", -60_000)


def test_where_nobody_is_there_it_says_so(app, sqlite):
    assert json.loads(app("hosts", "--json").out) == []
    assert "no server and no worker" in app("hosts").out


def test_a_host_whose_clock_is_wrong_is_told_by_the_databases(mysql, monkeypatch):
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + 60 * 10**9)
    began = time.monotonic()
    beat(mysql, "w1", "worker:1", WORKER, 4)
    took_ms = (time.monotonic() - began) * 1000
    monkeypatch.undo()
    with mysql.connect() as connection:
        (known,) = hosts.known(connection)
        (finding,) = doctor.examine_hosts(connection)

    assert abs(known.clock_ms - 60_000) <= took_ms + 2
    assert known.is_alive
    assert (finding.verdict, words(finding.found)) == (
        Verdict.WARNING,
        f"the clock of w1 is +{known.clock_ms / 1000:.0f} s from the database's",
    )


def test_a_process_says_that_it_is_there_until_it_stops(sqlite):
    in_hand = 1
    heart = Heart(sqlite, "w1", WORKER, 4, lambda: in_hand)
    sqlite.update_execution_options(lease_s=0.3)
    heart.start()

    def known():
        with sqlite.connect() as connection:
            return [each.in_hand for each in hosts.known(connection)]

    until(lambda: known() == [1], within_s=WITHIN_S, what="it is there")
    in_hand = 2
    until(lambda: known() == [2], within_s=WITHIN_S, what="it says what it has now")
    heart.stop()

    assert known() == []


def test_of_one_that_stopped_in_order_the_folder_is_known_until_it_is_back_or_a_day_is_over(sqlite):
    def beat(host, process, folder):
        with writing(sqlite) as connection:
            hosts.beat(connection, host, process, WORKER, 4, 0, folder)

    def stored():
        with sqlite.connect() as connection:
            rows = connection.execute(sa.select(tables.hosts.c.host, tables.hosts.c.process))
            return sorted(tuple(each) for each in rows), hosts.living_folders(connection)

    for host in ("w1", "w2"):
        beat(host, "worker:1", f"{host}-folder")
    with writing(sqlite) as connection:
        hosts.leave(connection, "w1", "worker:1")
    away = stored()
    beat("w1", "worker:2", "w1-folder")
    back = stored()
    with writing(sqlite) as connection:
        hosts.leave(connection, "w1", "worker:2")
        long_ago = tables.hosts.c.seen_ms - hosts.FORGET_AFTER_MS - 60_000
        connection.execute(tables.hosts.update().where(tables.hosts.c.host == "w1").values(seen_ms=long_ago))
    beat("w2", "worker:2", "w2-folder")

    assert away == ([("w1", "worker:1"), ("w2", "worker:1")], {"w1-folder", "w2-folder"})
    assert back == ([("w1", "worker:2"), ("w2", "worker:1")], {"w1-folder", "w2-folder"})
    assert stored() == ([("w2", "worker:1"), ("w2", "worker:2")], {"w2-folder"})


@ON_SQLITE
def test_a_server_is_there_while_it_runs(product):
    product.environment["SMS_HOST_ID"] = "s1"
    product.start()
    until(lambda: product.run("hosts", "--json").stdout.strip() != "[]", within_s=WITHIN_S, what="it is there")

    (facts,) = json.loads(product.run("hosts", "--json").stdout)
    with product.database.connect() as connection:
        folders = hosts.living_folders(connection)
    product.stop()

    assert (facts["host"], facts["processes"], facts["in_hand"], facts["places"]) == ("s1", ["server"], 0, 4)
    assert folders == {owner_of(product.logs)}
    assert json.loads(product.run("hosts", "--json").stdout) == []


# ── doctor ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def on_celery(monkeypatch):
    """Settings of a fleet."""

    def load(**given):
        monkeypatch.setenv("SMS_RUNNER", "celery")
        monkeypatch.setenv("SMS_BROKER_URL", "amqp://sms:s3cret-word@broker:5672/sms")
        for name, value in given.items():
            monkeypatch.setenv(name.upper(), str(value))
        return config.load()

    return load


def findings(settings, broker=BROKER):
    return [(each.check, each.verdict, words(each.found)) for each in doctor.examine(settings, lambda _: broker)]


def test_a_broker_that_is_as_it_should_be_is_ok(on_celery):
    found = findings(on_celery())

    assert [each[:2] for each in found] == [(name, Verdict.OK) for name in ("broker", "queue", "slices")]
    assert found[0][2] == "RabbitMQ 3.10.8 at broker:5672 answers"


def test_a_queue_of_another_kind_is_a_problem_and_long_slices_are_warned_of(on_celery):
    found = findings(on_celery(sms_slice_s=181), BROKER._replace(other="inequivalent arg 'x-queue-type'"))

    assert [each[1] for each in found] == [Verdict.OK, Verdict.PROBLEM, Verdict.WARNING]
    assert "inequivalent arg" in found[1][2]


def test_a_broker_that_is_away_is_a_problem_and_its_password_is_not_shown(on_celery):
    def refuse(_):
        raise ConnectionRefusedError(111, "Connection refused")

    (finding,) = doctor.examine(on_celery(), refuse)

    assert finding.verdict is Verdict.PROBLEM
    assert "broker:5672" in words(finding.found)
    assert "s3cret-word" not in words(finding.found) + words(finding.advice)


def test_a_broker_is_not_asked_for_where_nobody_orders_by_it(monkeypatch):
    monkeypatch.setenv("SMS_RUNNER", "engine")

    assert list(doctor.examine(config.load(), lambda _: pytest.fail("it is asked"))) == []


def test_a_fleet_without_workers_is_warned_of(sqlite):
    beat(sqlite, "s1", "server:1", SERVER)
    with sqlite.connect() as connection:
        none = [each.found.code for each in doctor.examine_hosts(connection)]
    beat(sqlite, "w1", "worker:1", WORKER, 4)
    with sqlite.connect() as connection:
        some = [each.verdict for each in doctor.examine_hosts(connection)]

    assert (none, some) == (["doctor.hosts_none"], [Verdict.OK])


@pytest.mark.parametrize(("places", "verdict"), [(4, Verdict.OK), (4_000, Verdict.WARNING)])
def test_connections_are_counted_for_all_that_are_there(mysql, places, verdict):
    beat(mysql, "s1", "server:1", SERVER)
    beat(mysql, "w1", "worker:1", WORKER, places)

    with mysql.connect() as connection:
        (finding,) = doctor.examine_connections(connection)

    assert finding.verdict is verdict
    assert finding.found.facts["needed"] == 12 + 1 + 3 * places
