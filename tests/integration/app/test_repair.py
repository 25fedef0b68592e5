"""A log that somebody damaged: its campaign fails with what to do, and a resumed one ends exactly. In this process."""

import os
import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.audit.report import Report, report
from app.campaigns.control import control
from app.campaigns.finish import close_complete
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome
from app.gateways.log_file.folder import log_path
from app.gateways.log_file.rejects import reject_log_path
from app.sending import journal
from app.sentence import Sentence
from app.store import campaigns, shards
from app.store.database import writing
from app.store.tables import customers
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger
from tests.integration.app.people import crowd, expected_logs, greeting, logs_of, move_in, person
from tests.words import words

CROWD = crowd(10)
SIZE = 100
WHOLE = expected_logs(CROWD, SIZE)["task_0.log"]
LINES = [greeting(each).encode() for each in CROWD]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(journal, "PAGE_ROWS", 3)


def fail(database, campaign):
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, Verb.FAIL, Sentence("plain", text="for a test"))


def finish(database, logs, campaign):
    """What the scheduler does until the campaign is over."""
    for shard in shards_of(database, campaign):
        if shard.state is not ShardState.FINISHED:
            assert send(database, logs, campaign, shard.number) is Outcome.COMPLETE
            with writing(database) as connection:
                shards.finish(connection, campaign.id, shard.number)
    close_complete(database, logs, shards_of(database, campaign)[0].owner)
    return as_stored(database, campaign).state


def assert_exact(database, logs, rows=CROWD, size=SIZE):
    assert logs_of(logs, "a") == expected_logs(rows, size)
    *_, whole = report(database, logs, "a")
    assert isinstance(whole, Report)
    assert whole.agrees


DAMAGES = {
    "shortened in a line": WHOLE[: len(LINES[0]) * 4 + 7],
    "shortened between lines": b"".join(LINES[:4]),
    "emptied": b"",
    "a line removed": b"".join(LINES[:2] + LINES[3:6]),
    "a line twice": b"".join([*LINES[:3], LINES[2], *LINES[3:6]]),
    "a letter changed": WHOLE[:20] + b"?" + WHOLE[21:],
    "lines exchanged": b"".join([LINES[1], LINES[0], *LINES[2:6]]),
    "too long": WHOLE + b"x\n" * 50,
    "whole, though the record knows only a part": WHOLE,
}


@pytest.mark.parametrize("left", DAMAGES.values(), ids=DAMAGES)
def test_a_resumed_campaign_keeps_what_is_right_and_sends_the_rest_again(database, logs, left):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(2))
    fail(database, campaign)
    log_path(logs, "a", 0).write_bytes(left)

    control(database, logs, "a", Verb.RESUME)

    assert finish(database, logs, campaign) is State.FINISHED
    assert_exact(database, logs)


def test_what_is_right_is_not_written_again(sqlite, logs):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign, should_stop=after(2))
    fail(sqlite, campaign)
    log_path(logs, "a", 0).write_bytes(b"".join(LINES[:5]) + LINES[5][:-1])

    control(sqlite, logs, "a", Verb.RESUME)
    outcome = send(sqlite, logs, campaign, should_stop=after(1))  # one page is compared
    stopped = shards_of(sqlite, campaign)[0].state
    outcomes = [outcome, send(sqlite, logs, campaign, should_stop=after(2))]  # two are, and none is sent

    (shard,) = shards_of(sqlite, campaign)
    assert (stopped, shard.state) == (ShardState.SUSPECT, ShardState.OPEN)
    assert outcomes == [Outcome.STOPPED] * 2
    assert (shard.last_id, shard.tally.sent, shard.log_bytes) == (6, 6, len(b"".join(LINES[:6])))
    assert (shard.tally.male, shard.tally.female, shard.tally.neutral) == (3, 1, 2)
    assert log_path(logs, "a", 0).read_bytes() == b"".join(LINES[:6])


def test_a_log_that_was_finished_is_mended_as_well(database, logs):
    move_in(database, CROWD)
    campaign = trigger(database, "a", 5)
    send(database, logs, campaign, 0)
    with writing(database) as connection:
        shards.finish(connection, campaign.id, 0)
    log_path(logs, "a", 0).write_bytes(LINES[0])
    send(database, logs, campaign, 1)
    with writing(database) as connection:
        shards.finish(connection, campaign.id, 1)

    closed = close_complete(database, logs, shards_of(database, campaign)[0].owner)
    failed = as_stored(database, campaign)
    control(database, logs, "a", Verb.RESUME)

    assert closed == [(campaign.id, State.FAILED)]
    assert words(failed.reason) == (
        f"{log_path(logs, 'a', 0)} has {len(LINES[0])} bytes where {len(b''.join(LINES[:5]))} were written; "
        "to have it compared and completed, run: python -m app resume a"
    )
    assert finish(database, logs, campaign) is State.FINISHED
    assert_exact(database, logs, size=5)


def test_a_finished_log_that_is_gone_when_the_campaign_ends_fails_it(sqlite, logs):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
    log_path(logs, "a", 0).unlink()

    closed = close_complete(sqlite, logs, shards_of(sqlite, campaign)[0].owner)

    assert closed == [(campaign.id, State.FAILED)]
    assert "cannot be found any more" in words(as_stored(sqlite, campaign).reason)


def shorten(path):
    os.truncate(path, 5)


def put_another_in_its_place(path):
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize("damage", [shorten, os.unlink, put_another_in_its_place])
@pytest.mark.parametrize("pages", [1, 3, 4])
def test_a_log_damaged_while_it_is_written_fails_its_campaign_which_can_be_resumed(sqlite, logs, damage, pages):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    asked = iter(range(100))

    def should_stop() -> bool:
        if next(asked) == pages - 1:
            damage(log_path(logs, "a", 0))
        return False

    first = send(sqlite, logs, campaign, should_stop=should_stop)
    failed = as_stored(sqlite, campaign)
    if first is Outcome.FAILED:
        control(sqlite, logs, "a", Verb.RESUME)

    if (damage, pages) == (shorten, 1):
        assert first is Outcome.COMPLETE  # nothing was in it
    else:
        assert (first, failed.state) == (Outcome.FAILED, State.FAILED)
        assert words(failed.reason).endswith("; to have it compared and completed, run: python -m app resume a")
    assert finish(sqlite, logs, campaign) is State.FINISHED
    assert_exact(sqlite, logs)


def test_who_changed_since_keeps_his_message_and_nobody_gets_a_second_one(database, logs):
    move_in(database, CROWD)
    campaign = run(database, logs, "a", SIZE)
    with writing(database) as connection:
        connection.execute(campaigns.campaigns.update().values(state=State.FAILED))
        connection.execute(sa.update(customers).where(customers.c.id == 4).values(name="改名改名改名"))
    log_path(logs, "a", 0).write_bytes(b"".join([*LINES[:1], b"a stray line\n", *LINES[1:8], *LINES[9:]]))
    was = log_path(logs, "a", 0).stat().st_ino

    control(database, logs, "a", Verb.RESUME)

    assert finish(database, logs, campaign) is State.FINISHED
    assert logs_of(logs, "a") == {"task_0.log": WHOLE}  # the fourth as it was sent; the ninth was sent now
    assert log_path(logs, "a", 0).stat().st_ino != was


def test_rejects_are_counted_once_however_a_log_is_mended(database, logs):
    rows = [(*each[:3], "none") if each[0] in {2, 3, 6, 7, 10} else each for each in CROWD]
    move_in(database, rows)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign)
    before = reject_log_path(logs, "a", 0).read_bytes()
    greeted = [greeting(each).encode() for each in rows if each[3] != "none"]
    fail(database, campaign)
    log_path(logs, "a", 0).write_bytes(b"".join(greeted[:3]))

    control(database, logs, "a", Verb.RESUME)

    assert finish(database, logs, campaign) is State.FINISHED
    (shard,) = shards_of(database, campaign)
    assert (shard.tally.sent, shard.tally.rejected) == (5, 5)
    assert log_path(logs, "a", 0).read_bytes() == b"".join(greeted)
    assert reject_log_path(logs, "a", 0).read_bytes() == before


def test_a_pause_in_the_middle_of_comparing_changes_nothing(sqlite, logs, monkeypatch):
    monkeypatch.setattr("app.campaigns.control.SETTLED_WITHIN_S", 0.0)
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign)
    fail(sqlite, campaign)
    log_path(logs, "a", 0).write_bytes(b"".join(LINES[:8]))
    control(sqlite, logs, "a", Verb.RESUME)
    asked = iter(range(100))

    def should_stop() -> bool:
        if next(asked) == 1:
            control(sqlite, logs, "a", Verb.PAUSE)
        return False

    outcome = send(sqlite, logs, campaign, should_stop=should_stop)

    (shard,) = shards_of(sqlite, campaign)
    assert (outcome, shard.state, shard.tally.sent) == (Outcome.HALTED, ShardState.SUSPECT, 10)
    assert log_path(logs, "a", 0).read_bytes() == b"".join(LINES[:8])
    control(sqlite, logs, "a", Verb.RESUME)
    assert finish(sqlite, logs, campaign) is State.FINISHED
    assert_exact(sqlite, logs)


def test_a_suspect_shard_is_not_closed_by_a_report_that_comes_late(sqlite, logs):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign)
    fail(sqlite, campaign)
    control(sqlite, logs, "a", Verb.RESUME)

    with writing(sqlite) as connection:
        closed = shards.finish(connection, campaign.id, 0)

    assert not closed
    assert close_complete(sqlite, logs, "nobody") == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.integers(0, 4))
def test_whatever_a_log_became_a_resumed_campaign_greets_every_number_once_and_in_order(
    sqlite, logs, garbage, cut, resumed_at, pages
):
    move_in(sqlite, CROWD)
    with writing(sqlite) as connection:
        connection.execute(campaigns.campaigns.delete())
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign, should_stop=after(pages))
    fail(sqlite, campaign)
    log_path(logs, "a", 0).write_bytes(WHOLE[:cut] + garbage + WHOLE[resumed_at:])

    control(sqlite, logs, "a", Verb.RESUME)

    assert finish(sqlite, logs, campaign) is State.FINISHED
    found = re.findall("^尊敬的手机号为(1[0-9]{10})".encode(), log_path(logs, "a", 0).read_bytes(), re.MULTILINE)
    assert found == [each[3].encode() for each in CROWD]


def test_a_shard_without_anybody_is_mended_to_nothing(sqlite, logs):
    move_in(sqlite, [person(3), person(30)])
    campaign = trigger(sqlite, "a", 10)
    move_in(sqlite, [person(30)])
    for number in (0, 2):
        send(sqlite, logs, campaign, number)
    fail(sqlite, campaign)
    log_path(logs, "a", 0).write_bytes(b"somebody wrote here\n")
    change_shard(sqlite, campaign, log_bytes=0)

    control(sqlite, logs, "a", Verb.RESUME)

    assert finish(sqlite, logs, campaign) is State.FINISHED
    assert logs_of(logs, "a") == {"task_0.log": b"", "task_2.log": greeting(person(30)).encode()}
