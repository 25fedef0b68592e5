"""What each host's report found of a campaign is made into the whole."""

import json
import shutil

import pytest

from app.gateways.log_file.folder import log_path, owner_of
from app.store import campaigns, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, run, send
from tests.integration.app.people import move_in, person
from tests.integration.app.test_folders import CROWD, LINES, SIZE, begun_in, fall_silent

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other"


@pytest.fixture
def report_of(app, monkeypatch, tmp_path):
    """`report_of(folder)`: the file that `report --parts --json` wrote there."""

    def write(folder, campaign="a"):
        with monkeypatch.context() as there:
            there.setenv("SMS_LOG_DIR", str(folder))
            made = app("report", campaign, "--parts", "--json")
        path = tmp_path / f"{folder.name}-{campaign}.json"
        path.write_text(made.out)
        return str(path)

    return write


@pytest.fixture
def split(sqlite, logs, other):
    """A finished campaign: ids 1 to 3 and 7 to 10 are in another folder, 4 to 6 here; customer 8 is rejected."""
    move_in(sqlite, [person(8, "") if each[0] == 8 else each for each in CROWD])
    campaign = begun_in(other, sqlite, move=False)
    send(sqlite, logs, campaign, should_stop=after(1))
    fall_silent(sqlite, campaign)
    send(sqlite, other, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
        campaigns.finish_if_complete(connection, campaign.id)
        theirs = tables.log_parts.c.folder == owner_of(other)
        connection.execute(tables.log_parts.update().where(theirs).values(host="w1"))
    return campaign


def test_the_reports_of_all_hosts_make_the_whole(app, logs, other, split, report_of):
    files = [report_of(logs), report_of(other)]

    said = app("report", "a", *files, "--merge", "--json")

    facts = json.loads(said.out)
    assert (said.code, facts["agrees"]) == (0, True)
    total = facts["total"]
    assert (total["lines"], total["rejected"], total["gone"], total["audience"]) == (9, 1, 0, 10)
    assert (total["first_mobile"], total["last_mobile"]) == (CROWD[0][3], CROWD[9][3])
    assert total["bytes"] == sum(len(line) for number, line in enumerate(LINES, 1) if number != 8)
    assert app("report", *files, "--merge").code == 0


def test_a_host_that_did_not_report_is_named_and_nobody_is_called_missing(app, logs, other, split, report_of):
    said = app("report", "a", report_of(logs), "--merge")

    words = " ".join(said.out.split())
    assert said.code == 1
    assert f"6 messages of task 0 are on host w1, in the folder {owner_of(other)[:8]}" in words
    assert "no message" not in words


def test_what_differs_on_a_host_differs_in_the_whole(app, logs, other, split, report_of):
    log = log_path(logs, "a", 0)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[1:]))
    parts = app("report", "a", "--parts")

    said = app("report", "a", report_of(logs), report_of(other), "--merge")

    assert (parts.code, said.code) == (1, 1)
    assert "customer has no message, id 4" in " ".join(said.out.split())


def test_each_host_alone_is_content_with_what_it_has(app, logs, split):
    said = app("report", "a", "--parts")

    assert said.code == 0
    assert "4…6" in said.out


def test_a_report_of_a_campaign_under_way_is_content_with_what_is_done(app, sqlite, logs):
    move_in(sqlite, CROWD)
    send(sqlite, logs, begun_in(logs, sqlite), should_stop=lambda: True)

    assert app("report", "a", "--parts").code == 0
    assert app("report", "a").code == 1


def test_a_report_from_before_the_shard_went_on_is_not_taken_for_the_whole(app, sqlite, logs, other, report_of):
    campaign = begun_in(logs, sqlite)
    old = report_of(logs)
    send(sqlite, logs, campaign)

    said = app("report", "a", old, "--merge")

    assert said.code == 1
    assert "of another moment" in " ".join(said.out.split())


def test_of_two_reports_of_a_folder_the_newer_one_counts(app, sqlite, logs, report_of, tmp_path):
    campaign = begun_in(logs, sqlite)
    old = tmp_path / "old.json"
    shutil.copy(report_of(logs), old)
    send(sqlite, logs, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)

    assert app("report", "a", report_of(logs), str(old), "--merge").code == 0


def test_a_gap_between_stretches_is_found(app, sqlite, logs, other, split, report_of):
    with writing(sqlite) as connection:
        connection.execute(tables.log_parts.delete().where(tables.log_parts.c.folder == owner_of(logs)))

    said = app("report", "a", report_of(other), "--merge")

    assert said.code == 1
    assert "do not follow each other" in " ".join(said.out.split())


def test_a_report_of_another_campaign_is_refused(app, sqlite, logs, report_of):
    move_in(sqlite, CROWD)
    for name in ("a", "b"):
        run(sqlite, logs, name, SIZE)

    said = app("report", "a", report_of(logs, "b"), "--merge")

    assert said.code == 1
    assert "it is of b" in " ".join(said.err.split())


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "sms.parts", "version": 2}'])
def test_a_file_that_is_no_report_is_refused(app, sqlite, logs, tmp_path, text):
    move_in(sqlite, CROWD)
    run(sqlite, logs, "a", SIZE)
    (tmp_path / "x.json").write_text(text)

    said = app("report", "a", str(tmp_path / "x.json"), "--merge")

    assert said.code == 1
    assert "report --parts --json" in " ".join(said.err.split())


@pytest.mark.parametrize("options", [["--merge"], ["--parts", "--merge", "x"], ["x"]])
def test_files_and_merge_go_together(app, options):
    assert app("report", "a", *options).code == 2
