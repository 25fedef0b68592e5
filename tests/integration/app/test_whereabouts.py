"""Of a campaign whose logs lie in two folders each command shows what is here, and says where the rest is."""

import json
import shutil
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.audit.find_late import find_late
from app.audit.report import Report, report
from app.campaigns import prune
from app.campaigns.snapshot import snapshot
from app.domain.orders import Outcome
from app.errors import LateUnclear
from app.gateways.log_file.folder import log_path, make_folder, owner_of
from app.store import campaigns, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, send
from tests.integration.app.people import move_in, person
from tests.integration.app.test_folders import CROWD, LINES, SIZE, begun_in, fall_silent, log_of, trigger

pytestmark = pytest.mark.usefixtures("small_pages")

HOST = "w1"


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other"


@pytest.fixture
def split(sqlite, logs, other):
    """A finished campaign: the first six messages are on another host, the last four here."""
    campaign = begun_in(other, sqlite, pages=2)
    assert send(sqlite, logs, campaign) is Outcome.COMPLETE
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
        campaigns.finish_if_complete(connection, campaign.id)
        theirs = tables.log_parts.c.folder == owner_of(other)
        connection.execute(tables.log_parts.update().where(theirs).values(host=HOST))
    return campaign


def whole_of(database, folder):
    *_, whole = report(database, folder, "a")
    assert isinstance(whole, Report)
    return whole


def test_a_report_compares_what_lies_here_and_calls_nothing_else_missing(sqlite, logs, other, split):
    for folder, lines in ((logs, 4), (other, 6)):
        found = whole_of(sqlite, folder)

        assert found.agrees
        assert not found.is_whole
        assert found.tasks[0].tally.sent == lines
        assert [each.tally.sent for each in found.elsewhere] == [10 - lines]


def test_what_is_wrong_here_is_found_though_the_rest_lies_elsewhere(sqlite, logs, split):
    log_path(logs, "a", 0).write_bytes(b"".join(LINES[7:]))

    (task,) = whole_of(sqlite, logs).tasks

    assert [each.code for each in task.differences] == ["difference.size", "difference.missing", "difference.messages"]
    assert task.differences[1].facts["ids"].examples == [7]


def test_what_a_folder_has_behind_its_record_and_is_to_be_cut_is_no_difference(sqlite, other, split):
    with log_path(other, "a", 0).open("ab") as log:
        log.write(LINES[6])

    assert whole_of(sqlite, other).agrees


def test_what_stands_behind_the_record_for_good_is_one(sqlite, other, split):
    with writing(sqlite) as connection:
        connection.execute(tables.log_parts.update().values(to_cut=False))
    with log_path(other, "a", 0).open("ab") as log:
        log.write(LINES[6])

    assert [each.code for each in whole_of(sqlite, other).tasks[0].differences] == ["difference.too_many"]


def test_rejects_stand_in_the_folder_of_their_stretch(sqlite, logs, other):
    nameless = [person(2, ""), person(9, " ")]
    begun = [each for each in CROWD if each[0] not in (2, 9)] + nameless
    move_in(sqlite, sorted(begun))
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, other, campaign, should_stop=after(2))
    fall_silent(sqlite, campaign)
    send(sqlite, logs, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)

    for folder, rejected in ((other, "2 no_name\n"), (logs, "9 no_name\n")):
        assert (folder / "a" / "task_0.rejects.log").read_text() == rejected
        found = whole_of(sqlite, folder)
        assert (found.agrees, found.tasks[0].tally.rejected) == (True, 1)


def test_the_command_says_on_which_host_the_rest_is_and_has_status_one(app, split, other):
    said = app("report", "a")
    as_json = app("report", "a", "--json")

    assert (said.code, as_json.code) == (1, 1)
    assert f"6 messages of task 0 are on host {HOST}, in the folder {owner_of(other)[:8]}" in " ".join(said.out.split())
    assert "missing" not in said.out
    facts = json.loads(as_json.out)
    assert (facts["agrees"], facts["agrees_here"]) == (False, True)
    assert facts["tasks"][0]["elsewhere"] == [
        {
            "host": HOST,
            "folder": owner_of(other),
            "first_id": 1,
            "last_id": 6,
            "from_byte": 0,
            "to_byte": sum(map(len, LINES[:6])),
            "lines": 6,
        }
    ]


def test_status_as_json_says_where_each_stretch_is(app, split, other, logs):
    (task,) = json.loads(app("status", "a", "--json").out)["tasks"]

    where = [(each["folder"], each["first_id"], each["last_id"]) for each in task["parts"]]
    assert where == [(owner_of(other), 1, 6), (owner_of(logs), 7, 10)]


def test_logs_prints_what_lies_here_and_says_where_the_rest_is(app, split):
    said = app("logs", "a")

    assert said.out.encode() == b"".join(LINES[6:])
    assert f"6 messages of task 0 are on host {HOST}" in " ".join(said.err.split())


def test_logs_prints_nothing_that_is_not_on_record(app, logs, other, split, monkeypatch):
    with log_path(other, "a", 0).open("ab") as log:
        log.write(LINES[6])
    monkeypatch.setenv("SMS_LOG_DIR", str(other))

    assert app("logs", "a").out.encode() == b"".join(LINES[:6])


def test_find_reads_what_lies_here_and_says_of_which_campaigns_not_all_was_read(app, split):
    here, there = (app("find", CROWD[place][3]).out for place in (9, 0))

    assert "a: 1" in here
    assert "a: 1" not in there
    assert all("were not read: a" in " ".join(each.split()) for each in (here, there))


def test_a_copy_of_the_logs_is_compared_and_printed_as_the_logs_are(sqlite, other, tmp_path, app, monkeypatch):
    campaign = begun_in(other, sqlite)
    send(sqlite, other, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
    copy = tmp_path / "copy"
    shutil.copytree(other, copy)
    assert owner_of(copy) != owner_of(other)

    assert whole_of(sqlite, copy).agrees
    assert whole_of(sqlite, copy).is_whole
    monkeypatch.setenv("SMS_LOG_DIR", str(copy))
    assert app("logs", "a").out.encode() == b"".join(LINES)


def test_who_came_late_is_not_told_from_half_of_the_logs(sqlite, logs, split):
    with pytest.raises(LateUnclear):
        find_late(sqlite, logs, snapshot(sqlite, "a"))


def test_prune_removes_what_lies_here_and_names_the_other_folder(sqlite, logs, other, split):
    (found,) = prune.find(sqlite, logs, datetime.now(UTC))

    assert [each.path for each in found.files] == [log_path(logs, "a", 0)]
    assert found.elsewhere == {owner_of(other): [0]}
    list(prune.prune(sqlite, logs, [found], datetime.now(UTC)))
    (left,) = prune.find(sqlite, other, datetime.now(UTC))
    assert [each.path for each in left.files] == [log_path(other, "a", 0)]


def test_a_shard_that_nobody_has_begun_lies_nowhere(sqlite, logs):
    move_in(sqlite, CROWD)
    trigger(sqlite, "a", SIZE)
    make_folder(logs)

    found = whole_of(sqlite, logs)

    assert found.is_whole
    assert log_of(logs) == []
    with sqlite.connect() as connection:
        assert connection.execute(sa.select(tables.log_parts)).all() == []
