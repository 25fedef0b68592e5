"""The server's own log lines."""

import json
import logging
import sys
import time
from datetime import UTC, datetime

import pytest

from app.log_lines import JsonFormatter, PlainFormatter, set_up
from app.store.database import open_database


def record(message: str, *args: object, **facts: object) -> logging.LogRecord:
    return logging.getLogger("app.test").makeRecord(
        "app.test", logging.INFO, "f.py", 1, message, args, None, extra=facts
    )


def line(message: str, **facts: object) -> str:
    return PlainFormatter().format(record(message, **facts))


def failed(text: str, **facts: object) -> logging.LogRecord:
    """A record with a traceback."""
    try:
        raise ValueError(text)
    except ValueError:
        return logging.makeLogRecord(
            {"msg": "failed", "name": "app.test", "levelname": "ERROR", "exc_info": sys.exc_info(), **facts}
        )


def test_the_facts_stand_behind_the_sentence():
    text = line("shard finished", campaign_id=7, shard=0)

    assert text.endswith(" shard finished campaign_id=7 shard=0")
    assert "INFO" in text


def test_facts_that_the_sentence_has_already_are_not_repeated():
    """The engine's lines have theirs in the text."""
    text = PlainFormatter().format(record("child died (%s)", "slot=3 pid=7", slot=3, pid=7, lot=1))

    assert text.endswith(" child died (slot=3 pid=7) lot=1")


def test_a_sentence_may_be_without_facts():
    assert line("server ready").endswith("server ready")


def test_a_record_is_one_line_whatever_it_holds():
    text = line("two\nlines", error="(1064,\n 'near \n')")

    assert "\n" not in text
    assert text.endswith(r"two\nlines error=(1064,\n 'near \n')")


@pytest.fixture
def in_shanghai(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_shanghai")
@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_a_time_is_in_utc_and_says_so_wherever_the_server_stands(formatter):
    made = record("ready")
    made.created = 1_800_000_000.25

    assert "2027-01-15T08:00:00.250+00:00" in formatter.format(made)


def test_a_traceback_follows_on_lines_of_its_own():
    first, *rest = PlainFormatter().format(failed("here", fact=1)).splitlines()

    assert first.endswith("failed fact=1")
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "ValueError: here"


def test_as_json_a_record_is_an_object_with_its_facts():
    before = datetime.now(UTC)

    facts = json.loads(JsonFormatter().format(record("shard finished", campaign_id=7, ratio=0.5, name2="春节\n")))

    assert before.timestamp() - 1 < datetime.fromisoformat(facts.pop("time")).timestamp()
    assert isinstance(facts.pop("pid"), int)
    assert facts == {
        "level": "INFO",
        "logger": "app.test",
        "message": "shard finished",
        "campaign_id": 7,
        "ratio": 0.5,
        "name2": "春节\n",
    }


def test_as_json_a_traceback_is_part_of_the_object():
    text = JsonFormatter().format(failed("here", path=object))

    assert "\n" not in text
    facts = json.loads(text)
    assert facts["traceback"].endswith("ValueError: here")
    assert facts["path"] == "<class 'object'>"


def test_as_json_a_fact_cannot_stand_for_what_every_line_has():
    assert json.loads(JsonFormatter().format(record("ready", level="x", time="never")))["level"] == "INFO"


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_a_mobile_is_masked_wherever_in_a_record_it_stands(formatter):
    records = [
        record("13800000001 is twice"),
        record("%s is twice", "13800000001"),
        record("twice", mobile="13800000001"),
        record("twice", mobile=13800000001),
        record("twice", rows=[("a", "13800000001")]),
        failed("Duplicate entry '13800000001'"),
    ]

    for each in records:
        text = formatter.format(each)
        assert "13800000001" not in text
        assert "138****0001" in text


@pytest.mark.parametrize("url", ["sqlite:///there.db", "mysql+pymysql://there/sms"])
def test_a_connection_of_the_pool_that_broke_is_one_line(monkeypatch, capsys, url):
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    set_up("plain")

    try:
        raise OSError(2013, "Lost connection")
    except OSError:
        open_database(url).pool.logger.error("Exception during reset or similar", exc_info=True)

    assert capsys.readouterr().err.endswith("Exception during reset or similar error=2013 Lost connection\n")
