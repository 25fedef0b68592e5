"""The server's own log lines."""

import logging
import sys

from app.log_lines import PlainFormatter


def line(message: str, **facts: object) -> str:
    record = logging.getLogger("app.test").makeRecord(
        "app.test", logging.INFO, "f.py", 1, message, (), None, extra=facts
    )
    return PlainFormatter().format(record)


def test_the_facts_stand_behind_the_sentence():
    text = line("shard finished", campaign_id=7, shard=0)

    assert text.endswith(" shard finished campaign_id=7 shard=0")
    assert "INFO" in text


def test_a_sentence_may_be_without_facts():
    assert line("server ready").endswith("server ready")


def test_a_record_is_one_line_whatever_it_holds():
    text = line("two\nlines", error="(1064,\n 'near \n')")

    assert "\n" not in text
    assert text.endswith(r"two\nlines error=(1064,\n 'near \n')")


def test_a_traceback_follows_on_lines_of_its_own():
    try:
        raise ValueError("here")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info(), "fact": 1})

    first, *rest = PlainFormatter().format(record).splitlines()

    assert first.endswith("failed fact=1")
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "ValueError: here"
