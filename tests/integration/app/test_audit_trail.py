"""The audit trail: every deed of people stands there, in one transaction with it, and nothing that is secret."""

import json
import os
import pwd
import socket

import pytest

from app.campaigns import abandon as folders
from app.campaigns import opt_outs
from app.campaigns.control import control
from app.campaigns.retry import retry
from app.campaigns.snapshot import snapshot
from app.domain.actor import Actor, Deed, Via
from app.domain.campaign import State, Verb
from app.domain.delivery import Delivery
from app.errors import WrongState
from app.store import trail
from app.store.database import writing
from tests.house.sources import names_used, sources
from tests.integration.app.campaigns import change_shard, run, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product
from tests.integration.app.test_folders import begun_in
from tests.integration.app.test_receipts import recorded

ADA = Actor("ada", Via.PAGES, "192.0.2.1")
MASKED = "138****0001"
OURSELVES = f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"


def entries(database, **of):
    with database.connect() as connection:
        return trail.newest(connection, 1000, **of)


def deeds(database):
    """The oldest first."""
    return [each.deed for each in reversed(entries(database))]


def refused(database, count):
    """A campaign to a network of which so many messages were refused; no task has its shard."""
    move_in(database, crowd(5))
    campaign = recorded(database, "net", [Delivery.REFUSED] * count)
    change_shard(database, campaign, lease_until_ms=0)


class Broken(Exception):
    """The trail cannot be written to."""


@pytest.fixture
def broken(monkeypatch):
    def refuse(*_, **__):
        raise Broken

    monkeypatch.setattr(trail, "note", refuse)


def test_an_entry_says_who_did_what_to_which_campaign_from_where_and_how_it_was_before(database, logs):
    trigger(database, "春", 10)
    move_in(database, crowd(5))
    trigger(database, "夏", 10)

    control(database, logs, "夏", Verb.PAUSE, ADA)

    newest = entries(database)[0]
    assert (newest.who, newest.via, newest.address, newest.deed) == ("ada", "pages", "192.0.2.1", "pause")
    assert (newest.campaign, newest.before, newest.after) == ("夏", {"state": "running"}, {"state": "paused"})
    assert [each.deed for each in entries(database, campaign="夏")] == ["pause", "start"]
    assert entries(database, campaign="春")[0].after["state"] == State.FINISHED


def test_whoever_comes_second_or_is_refused_does_nothing_and_is_in_no_entry(sqlite, logs):
    run(sqlite, logs, "a", 10)
    trigger(sqlite, "a", 10)
    opt_outs.add(sqlite, "*", 13800000001)
    opt_outs.add(sqlite, "*", 13800000001)
    opt_outs.remove(sqlite, "*", 13800000002)
    with pytest.raises(WrongState):
        control(sqlite, logs, "a", Verb.PAUSE)

    assert deeds(sqlite) == ["start", "opt_out_add"]


@pytest.mark.parametrize(
    "deed",
    [
        lambda database, logs: trigger(database, "b", 10),
        lambda database, logs: control(database, logs, "a", Verb.PAUSE),
        lambda database, logs: control(database, logs, "a", Verb.CANCEL),
        lambda database, logs: opt_outs.add(database, "*", 13800000001),
        lambda database, logs: opt_outs.take_in(database, "*", [13800000001, 13800000003]),
        lambda database, logs: opt_outs.remove(database, "*", 13800000002),
        lambda database, logs: retry(database, snapshot(database, "net"), Delivery.REFUSED),
    ],
)
def test_there_is_no_deed_without_its_entry(sqlite, logs, deed, request):
    move_in(sqlite, crowd(5))
    trigger(sqlite, "a", 10)
    refused(sqlite, 1)
    opt_outs.add(sqlite, "*", 13800000002)
    before = _everything(sqlite)
    request.getfixturevalue("broken")

    with pytest.raises(Broken):
        deed(sqlite, logs)

    assert _everything(sqlite) == before


def _everything(database):
    with database.connect() as connection:
        tables = ("campaigns", "shards", "messages", "opt_outs", "trail")
        return [connection.exec_driver_sql(f"SELECT * FROM {each}").all() for each in tables]


def test_what_is_done_in_many_batches_is_one_deed(sqlite, monkeypatch):
    monkeypatch.setattr(opt_outs, "AT_ONCE", 2)
    monkeypatch.setattr("app.campaigns.retry.AT_ONCE", 2)
    refused(sqlite, 5)

    opt_outs.take_in(sqlite, "*", [13800000000 + each for each in range(7)], ADA)
    retry(sqlite, snapshot(sqlite, "net"), Delivery.REFUSED, ADA)

    told = {each.deed: (each.before, each.after) for each in entries(sqlite)}
    assert deeds(sqlite) == ["start", "opt_out_import", "retry"]
    assert told["opt_out_import"] == ({}, {"signature": "*", "numbers": 7})
    assert told["retry"][0] | {"state": ""} == {"state": "", "messages": "refused", "count": 5}


def test_no_number_can_be_dialled_from_the_trail(sqlite):
    opt_outs.add(sqlite, "【13800000001】", 13800000001)
    trigger(sqlite, "a", 10, template="{name}请回电13800000001")
    control_characters = Actor("x" * 200, Via.API, "y" * 200)
    with writing(sqlite) as connection:
        trail.note(connection, control_characters, Deed.PRUNE, subject="z" * 300, after={"count": 13800000001})

    text = str(_everything(sqlite)[-1])
    assert "13800000001" not in text.replace('"count": 13800000001', "")
    assert text.count(MASKED) == 3
    assert entries(sqlite)[0].after == {"count": 13800000001}


def test_who_gives_up_a_folder_is_on_record_with_what_it_costs(sqlite, logs, tmp_path):
    other = tmp_path / "other"
    campaign = begun_in(other, sqlite)
    change_shard(sqlite, campaign, lease_until_ms=0)
    logs.mkdir()

    folders.abandon(sqlite, logs, "a", str(other), ADA)

    newest = entries(sqlite)[0]
    assert (newest.deed, newest.after, newest.before["tasks"]) == ("abandon", {"state": "running"}, [0])


def test_commands_are_done_by_the_account_that_runs_them(app, sqlite):
    move_in(sqlite, crowd(5))
    trigger(sqlite, "a", 10)
    for command in (("pause", "a"), ("resume", "a"), ("cancel", "a"), ("opt-outs", "add", "13800000001")):
        assert app(*command).code == 0

    assert deeds(sqlite) == ["start", "pause", "resume", "cancel", "opt_out_add"]
    assert {(each.who, each.via) for each in entries(sqlite)} == {(OURSELVES, "command")}


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1_234_567)

    assert trail.this_process().who == f"1234567@{socket.gethostname()}"


def test_a_client_of_the_trigger_is_on_record_with_its_address(sqlite_url, tmp_path, sqlite):
    with Product(sqlite_url, tmp_path, trigger_token="t0p-secret-t0ken") as product:
        move_in(sqlite, crowd(5))
        product.start()
        for verb in ("campaign", "pause", "cancel"):
            product.ask(json.dumps({verb: "a", "token": "t0p-secret-t0ken"}))

    told = [(each.who, each.via, each.address, each.campaign) for each in entries(sqlite)]
    assert set(told) == {("token", "trigger", "127.0.0.1", "a")}
    assert "start" in deeds(sqlite)


def test_audit_shows_the_newest_first_and_json_has_all(app, sqlite, monkeypatch):
    monkeypatch.setattr("app.cli.trail.AT_ONCE", 2)
    monkeypatch.setattr("app.cli.trail.SHOWN", 4)
    for number in range(5):
        trigger(sqlite, f"a{number}", 10)
    app("opt-outs", "add", "13800000001")

    table, everything = app("audit").out, json.loads(app("audit", "--json").out)

    assert (table.count("opt-out added"), table.count("started"), table.count(MASKED)) == (1, 3, 1)
    assert [each["campaign"] for each in everything] == ["", "a4", "a3", "a2", "a1", "a0"]
    assert everything[-1]["after"]["state"] == "finished"
    assert "state finished, template " in app("audit", "--campaign", "a0").out
    assert len(json.loads(app("audit", "--json", "--limit", "3").out)) == 3
    assert len(json.loads(app("audit", "--json", "--campaign", "a3").out)) == 1


@pytest.mark.usefixtures("chinese")
def test_audit_speaks_chinese_and_says_where_there_is_nothing(app, sqlite):
    assert app("audit").out == "还没有任何操作\n"

    trigger(sqlite, "a", 10)

    assert "启动" in app("audit").out
    assert app("audit", "--json", "--campaign", "b").out == "[]\n"


def test_nothing_in_the_house_changes_or_removes_an_entry():
    """But for the migration that takes all tables away."""
    changing = {"app.store.tables.trail.update", "app.store.tables.trail.delete"}

    assert [each.path for each in sources("app", "seed") if changing & names_used(each)] == []
