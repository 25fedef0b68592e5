"""engine/log_lines.py: a line says what it is about, whatever formatter the program has."""

import logging
import sys

import pytest

from engine.log_lines import Few, get_logger

log = get_logger("engine.test")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "engine.test")
    return caplog


def test_the_facts_stand_in_the_text_and_in_the_record(lines: pytest.LogCaptureFixture) -> None:
    log.warning("child died", extra={"slot": 3, "pid": 4711})

    (record,) = lines.records
    assert record.getMessage() == "child died (slot=3 pid=4711)"
    assert (record.levelname, record.slot, record.pid) == ("WARNING", 3, 4711)  # type: ignore[attr-defined]


def test_lines_of_one_kind_have_one_template(lines: pytest.LogCaptureFixture) -> None:
    for pid in (1, 2):
        log.info("child left after %d s", pid, extra={"pid": pid})

    assert {record.msg for record in lines.records} == {"child left after %d s (%s)"}
    assert lines.messages == ["child left after 1 s (pid=1)", "child left after 2 s (pid=2)"]


def test_a_text_in_which_one_would_get_lost_is_quoted(lines: pytest.LogCaptureFixture) -> None:
    log.info("it is so", extra={"title": "engine: worker 0", "reason": "two\nlines", "peer": "::1", "none": ""})

    assert lines.messages == [r"it is so (title='engine: worker 0' reason='two\nlines' peer=::1 none='')"]


@pytest.mark.parametrize("facts", [None, {}])
def test_a_sentence_may_be_without_facts(lines: pytest.LogCaptureFixture, facts: dict[str, object] | None) -> None:
    log.info("100 % are ready", extra=facts)

    assert lines.messages == ["100 % are ready"]


def test_a_sign_that_formatting_knows_is_a_sign_like_others(lines: pytest.LogCaptureFixture) -> None:
    log.info("100 % are ready", extra={"of": "%s"})

    assert lines.messages == ["100 % are ready (of=%s)"]


def test_the_line_is_its_callers_and_has_its_traceback(lines: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("callback raised", extra={"event": "receive"})

    (record,) = lines.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError
    assert (record.pathname, record.funcName) == (__file__, sys._getframe().f_code.co_name)


def test_what_nobody_wants_to_read_is_not_written_out(lines: pytest.LogCaptureFixture) -> None:
    class Unreadable:
        def __str__(self) -> str:
            raise AssertionError("nobody asked")

    log.debug("it is so", extra={"fact": Unreadable()})

    assert lines.records == []


def test_lines_that_strangers_cause_are_few_and_tell_how_many_were_left_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    now = [100.0]
    monkeypatch.setattr("engine.log_lines.time.monotonic", lambda: now[0])
    few = Few(get_logger("engine.test"), most=3, per_s=10.0)

    for number in range(1000):
        few.warning("go away", extra={"number": number})
    few.info("something else", extra={})
    now[0] += 10
    few.warning("go away", extra={"number": 1000})

    assert [record.getMessage() for record in caplog.records] == [
        "go away (number=0)",
        "go away (number=1)",
        "go away (number=2)",
        "something else",
        "go away (number=1000 left_out=997)",
    ]
    assert {record.filename for record in caplog.records} == {"test_log_lines.py"}
