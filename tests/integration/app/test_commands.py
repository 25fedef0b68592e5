"""status, report, and what every command says when it cannot work. In this process; tests/acceptance starts them."""

import json
import re
import socket
import time
from datetime import timedelta

import pytest

from app.domain.campaign import Verb
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence
from app.store import campaigns, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, change_shard, run, send, trigger
from tests.integration.app.people import crowd, move_in
from tests.ports import free_port

CROWD = crowd(25)
NAME = "春节问候"


@pytest.fixture
def finished(sqlite, logs):
    """A campaign in three shards that is over."""
    move_in(sqlite, CROWD)
    return run(sqlite, logs, NAME, 10)


@pytest.fixture
def halfway(sqlite, logs, monkeypatch):
    """A campaign of one shard with 10 of its 25 customers done."""
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 5)
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, NAME, 100)
    send(sqlite, logs, campaign, should_stop=after(2))
    return campaign


# ── status ──────────────────────────────────────────────────────────────────────────────────────


def test_status_shows_every_campaign(app, sqlite, finished):
    trigger(sqlite, "b", 100)

    ended = app("status")

    assert ended.code == 0
    assert re.search(r"b\W+running\W+1\W+0\W+0\W+0\W+0\.0%", ended.out)
    assert re.search(rf"{NAME}\W+finished\W+3\W+25\W+0\W+0\W+25\W+100\.0%", ended.out)


def test_status_as_json_is_read_by_programs(app, finished):
    ended = app("status", "--json")

    (facts,) = json.loads(ended.out)
    assert (facts["campaign"], facts["state"], facts["sent"], facts["done"]) == (NAME, "finished", 25, 1.0)


def test_status_of_nothing_is_an_empty_list(app):
    assert json.loads(app("status", "--json").out) == []
    assert app("status").out == "there are no campaigns yet\n"


@pytest.mark.parametrize("width", [200, 80, 40])
@pytest.mark.parametrize("command", ["status", "report"])
def test_on_a_narrow_terminal_columns_are_left_out_and_no_number_is_cut(app, finished, monkeypatch, command, width):
    monkeypatch.setattr("app.cli.views.out.width", width)

    ended = app(command, NAME)

    assert "…" not in ended.out
    assert re.search(r"\b25\b", ended.out)
    assert ("UTC" in ended.out or "first" in ended.out) == (width == 200)


def test_a_failed_campaign_that_is_resumed_tells_no_count_before_its_logs_are_compared(app, sqlite, finished):
    with writing(sqlite) as connection:
        connection.execute(tables.campaigns.update().values(state="failed", reason="a log is gone"))

    ended = app("resume", NAME, "--yes")

    assert (ended.code, ended.out.splitlines()[-1]) == (
        0,
        f"{NAME} is running: its logs are compared with the database first",
    )


def test_status_of_one_campaign_shows_its_tasks(app, halfway):
    ended = app("status", NAME)

    assert ended.code == 0
    assert re.search(r"0\W+1 – 25\W+open\W+10\W+5\W+2\W+3\W+0\W+0\W+25\W+40\.0%", ended.out)


def test_status_of_one_campaign_as_json_holds_its_tasks(app, halfway):
    facts = json.loads(app("status", NAME, "--json").out)

    assert (facts["campaign"], facts["state"], facts["sent"], facts["done"]) == (NAME, "running", 10, 0.4)
    (task,) = facts["tasks"]
    assert (task["task"], task["after_id"], task["to_id"], task["last_id"]) == (0, 0, 25, 10)
    assert task["sent"] == task["male"] + task["female"] + task["unknown"] == 10


def test_status_says_how_fast_a_campaign_goes_and_how_long_it_will_take(app, sqlite, halfway):
    in_a_minute = time.time_ns() // 1_000_000 + 60_000
    change_shard(sqlite, halfway, owner="us", work_ms=2_000, lease_until_ms=in_a_minute)

    facts = json.loads(app("status", NAME, "--json").out)

    assert (facts["rate"], facts["left_s"]) == (5.0, 3.0)
    assert re.search(r"40\.0%\W+5/s\W+0:03\W", app("status").out)


def test_a_campaign_that_nobody_works_at_has_no_speed(app, sqlite, halfway):
    change_shard(sqlite, halfway, owner="us", work_ms=2_000, lease_until_ms=1)

    facts = json.loads(app("status", NAME, "--json").out)

    assert (facts["rate"], facts["left_s"]) == (0.0, None)


def test_a_finished_campaign_shows_what_it_did_in_all_the_time_it_took(app, sqlite, finished):
    with writing(sqlite) as connection:
        later = finished.created_at + timedelta(seconds=10)
        connection.execute(tables.campaigns.update().values(finished_at=later))

    assert json.loads(app("status", NAME, "--json").out)["rate"] == 2.5


def test_status_says_why_a_campaign_failed(app, sqlite, halfway):
    with writing(sqlite) as connection:
        why = Sentence("log_damaged.short", path="task_0.log", size=1, position=2)
        campaigns.change(connection, halfway.id, Verb.FAIL, why)

    assert "task_0.log has 1 bytes where 2 were written" in app("status", NAME).out
    assert json.loads(app("status", NAME, "--json").out)["reason"].startswith("task_0.log has")


# ── report ──────────────────────────────────────────────────────────────────────────────────────


def test_a_report_of_exact_logs_ends_well(app, finished):
    ended = app("report", NAME)

    assert ended.code == 0
    assert re.search(r"0\W+10\W+5\W+2\W+3\W+0\W+0\W+10\W+[\d,]+\W+13800000001\W+13800000010\W.*yes", ended.out)
    assert re.search(r"all\W+25\W+13\W+6\W+6\W+0\W+0\W+25\W+[\d,]+\W+13800000001\W+13800000025\W.*yes", ended.out)


def test_a_report_as_json_is_read_by_programs(app, finished, logs):
    ended = app("report", NAME, "--json")

    facts = json.loads(ended.out)
    assert ended.code == 0
    assert (facts["campaign"], facts["state"], facts["agrees"]) == (NAME, "finished", True)
    assert facts["total"]["lines"] == 25
    assert facts["total"]["bytes"] == sum(log_path(logs, NAME, number).stat().st_size for number in range(3))
    assert [(each["task"], each["lines"], each["differences"]) for each in facts["tasks"]] == [
        (0, 10, []),
        (1, 10, []),
        (2, 5, []),
    ]


def test_a_report_of_logs_that_differ_fails_and_names_the_differences(app, finished, logs):
    path = log_path(logs, NAME, 1)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))

    ended = app("report", NAME)
    facts = json.loads(app("report", NAME, "--json").out)

    assert ended.code == app("report", NAME, "--json").code == 1
    assert "task 1: 1 customer has no message, id 11\n" in ended.out
    assert re.search(r"1\W+9\W.*no", ended.out)
    assert not facts["agrees"]
    assert "1 customer has no message, id 11" in facts["tasks"][1]["differences"]


def test_a_report_of_a_campaign_under_way_fails(app, halfway):
    ended = app("report", NAME)

    assert ended.code == 1
    assert "task 0: not finished: 10 of 25 ids are done\n" in ended.out


def test_a_report_without_the_log_fails(app, finished, logs):
    log_path(logs, NAME, 2).unlink()

    ended = app("report", NAME)

    assert ended.code == 1
    assert "task_2.log is missing\n" in ended.out


def test_a_report_of_a_log_that_cannot_be_read_fails_and_says_why(app, finished, logs):
    log_path(logs, NAME, 2).unlink()
    log_path(logs, NAME, 2).mkdir()

    ended = app("report", NAME)

    assert ended.code == 1
    assert "task_2.log cannot be read: Is a directory\n" in ended.out
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["status", "report"])
def test_an_unknown_campaign_is_refused(app, command):
    app(command, "nobody").assert_refused("no campaign is named nobody")


@pytest.mark.parametrize("command", ["status", "report", "pause", "resume", "cancel", "ledger", "logs"])
def test_of_an_unknown_campaign_the_one_that_may_be_meant_is_named(app, sqlite, command):
    trigger(sqlite, "spring", 100)

    app(command, "sprnig").assert_refused("no campaign is named sprnig; did you mean spring?")


# ── wrong usage ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments", [["trigger"], ["report"], ["start"], ["status", "a", "b"], ["trigger", "a", "--loud"], ["serve", "x"]]
)
def test_wrong_usage_has_an_exit_status_of_its_own(app, arguments):
    ended = app(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert "Usage:" in ended.err


# ── what an operator can mend ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [["serve"], ["status"], ["report", "a"]])
def test_missing_tables_are_said_in_one_line(app, monkeypatch, tmp_path, command):
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")

    app(*command).assert_refused("customers is missing", "python -m migrations")


@pytest.mark.parametrize("command", [["serve"], ["status"], ["report", "a"]])
def test_a_database_that_does_not_answer_is_said_in_one_line_without_its_password(app, monkeypatch, command):
    monkeypatch.setenv("DATABASE_URL", f"mysql+pymysql://sms:p4ssw0rd@127.0.0.1:{free_port()}/sms")

    ended = app(*command)

    ended.assert_refused("127.0.0.1")
    assert "p4ssw0rd" not in ended.err


@pytest.mark.parametrize("command", [("status",), ("report", "a"), ("serve",)])
def test_a_file_of_the_database_that_is_mistyped_is_not_made(app, tmp_path, monkeypatch, command):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mistyped.db")

    app(*command).assert_refused(f"there is no file {tmp_path}/mistyped.db; run: python -m migrations")

    assert not (tmp_path / "mistyped.db").exists()


def test_a_folder_that_is_mistyped_is_not_made_for_the_database(app, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mistyped/sms.db")

    app("status").assert_refused(f"there is no folder {tmp_path}/mistyped; make it, or correct DATABASE_URL")

    assert not (tmp_path / "mistyped").exists()


def test_a_file_that_is_no_database_is_said_in_one_line(app, monkeypatch, tmp_path):
    (tmp_path / "text.db").write_text("no database" * 1000)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'text.db'}")

    app("status").assert_refused("not a database")


def test_settings_that_cannot_be_used_are_said_in_one_line(app, monkeypatch):
    monkeypatch.setenv("SMS_PORT", "none")
    monkeypatch.setenv("SMS_WORKER_NUM", "0")

    app("serve").assert_refused("SMS_PORT", "SMS_WORKER_NUM")


def test_a_folder_for_the_logs_that_cannot_be_made_is_said_in_one_line(app, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SMS_LOG_DIR", str(tmp_path / "file" / "logs"))

    app("serve").assert_refused(str(tmp_path / "file" / "logs"))


def test_a_port_in_use_is_said_in_one_line_with_what_to_do(app, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("SMS_PORT", str(listener.getsockname()[1]))

        ended = app("serve")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("in use; see which program has the port (ss -ltnp), or set SMS_PORT\n")
    assert ended.err.count("\n") == 1


def test_a_host_that_is_not_ours_is_said_in_one_line(app, monkeypatch):
    monkeypatch.setenv("SMS_HOST", "host.invalid")

    app("serve").assert_refused("host.invalid")
