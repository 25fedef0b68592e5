"""One shard is sent: whatever stops it, the next one continues where the database says."""

import errno
import os
import time

import pytest

from app.campaigns.control import control
from app.campaigns.finish import close_shard, fail
from app.campaigns.release import let_go_of_all
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome
from app.errors import AppError, ShardTaken
from app.gateways.log_file.folder import log_path
from app.gateways.log_file.journal import LogFile
from app.sending import journal as module
from app.sending import shard as sending
from app.sentence import Sentence
from app.store import campaigns, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger
from tests.integration.app.people import ODD_NAMES, expected_logs, logs_of, move_in, person
from tests.words import words

ROWS = [person(number, f"客户{number}号", (0, 1, None)[number % 3]) for number in (1, 2, 5, 6, 7, 11, 12, 20, 21, 30)]
SIZE = 100


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 3)


def test_a_shard_is_sent_page_by_page_and_counted(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)

    assert send(database, logs, campaign) is Outcome.COMPLETE

    (shard,) = shards_of(database, campaign)
    expected = expected_logs(ROWS, SIZE)
    assert logs_of(logs, "a") == expected
    assert (shard.last_id, shard.log_bytes) == (30, len(expected["task_0.log"]))
    assert (shard.tally.sent, shard.tally.female, shard.tally.male, shard.tally.neutral) == (10, 4, 2, 4)


def test_of_several_who_close_a_shard_one_hears_that_it_was_him(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign)

    assert [close_shard(database, campaign.id, 0) for _ in range(3)] == [True, False, False]


def test_names_of_any_kind_stand_in_the_log_as_in_the_table(database, logs):
    rows = [person(number, name, 0) for number, name in enumerate(ODD_NAMES, start=1)]
    move_in(database, rows)

    run(database, logs, "a", SIZE)

    assert logs_of(logs, "a") == expected_logs(rows, SIZE)


@pytest.mark.parametrize("pages", [0, 1, 2, 3])
def test_a_shard_told_to_stop_is_continued_by_the_next_task(database, logs, pages):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)

    first = send(database, logs, campaign, should_stop=after(pages))
    stopped_at = shards_of(database, campaign)[0].tally.sent
    second = send(database, logs, campaign)

    assert (first, second) == (Outcome.STOPPED, Outcome.COMPLETE)
    assert pages <= stopped_at <= 3 * pages  # a page may hold fewer than three where ids are missing
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)
    assert shards_of(database, campaign)[0].tally.sent == len(ROWS)


def test_a_slice_ends_after_its_time_and_the_next_ones_go_on_exactly(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)

    outcomes, sent = [], []
    while Outcome.COMPLETE not in outcomes:
        outcomes.append(send(database, logs, campaign, slice_s=0))
        sent.append(shards_of(database, campaign)[0].last_id)

    assert len(outcomes) > 3  # a page each, however short it is
    assert set(outcomes[:-1]) == {Outcome.SLICE}
    assert sent == sorted(set(sent))
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)
    assert shards_of(database, campaign)[0].tally.sent == len(ROWS)


def test_who_dies_between_two_slices_or_in_one_leaves_nothing_twice(database, logs, monkeypatch):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, slice_s=0)
    with monkeypatch.context() as context:
        context.setattr(shards, "checkpoint", dies)
        with pytest.raises(ConnectionError):
            send(database, logs, campaign, slice_s=0)

    while send(database, logs, campaign, slice_s=0) is Outcome.SLICE:
        pass

    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)
    assert shards_of(database, campaign)[0].tally.sent == len(ROWS)


def test_a_page_that_the_database_never_heard_of_is_cut_off_and_sent_again(database, logs, monkeypatch):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(1))
    with monkeypatch.context() as context:
        context.setattr(shards, "checkpoint", dies)
        with pytest.raises(ConnectionError):
            send(database, logs, campaign)
    left = log_path(logs, "a", 0).read_bytes().count(b"\n")
    recorded = shards_of(database, campaign)[0].tally.sent

    send(database, logs, campaign)

    assert 0 < recorded < left <= recorded + 3  # the page that was recorded, and the one that was not
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)


def dies(*_: object) -> None:
    raise ConnectionError("server has gone away")


@pytest.mark.parametrize("garbage", [b"x", "尊敬的".encode()[:-1], b"\n" * 1000])
def test_a_log_longer_than_recorded_is_cut_back(database, logs, garbage):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(2))
    with log_path(logs, "a", 0).open("ab") as log:
        log.write(garbage)

    send(database, logs, campaign)

    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)


def test_a_log_shorter_than_recorded_fails_the_campaign_with_a_sentence(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(2))
    path = log_path(logs, "a", 0)
    path.write_bytes(path.read_bytes()[:-1])
    left = path.read_bytes()

    assert send(database, logs, campaign) is Outcome.FAILED

    failed = as_stored(database, campaign)
    assert failed.state is State.FAILED
    assert f"{path} has {len(left)} bytes where {len(left) + 1} were written" in words(failed.reason)
    assert path.read_bytes() == left


def test_a_log_that_is_gone_fails_the_campaign(sqlite, logs):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign, should_stop=after(1))
    log_path(logs, "a", 0).unlink()

    assert send(sqlite, logs, campaign) is Outcome.FAILED
    assert as_stored(sqlite, campaign).state is State.FAILED


@pytest.fixture
def before_it_fails(monkeypatch):
    """What somebody else commits between the moment in which a log is found to be damaged and the failure."""

    def arrange(do):
        def do_and_fail(*given):
            monkeypatch.setattr(sending, "fail", fail)
            do()
            return fail(*given)

        monkeypatch.setattr(sending, "fail", do_and_fail)

    return arrange


def damaged(database, logs):
    """A campaign whose log lacks a page that is on record."""
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(1))
    log_path(logs, "a", 0).write_bytes(b"")
    return campaign


def pause(database):
    with writing(database) as connection:
        connection.execute(
            tables.campaigns.update().values(state=State.PAUSED, halted_since_ms=tables.campaigns.c.id * 1000)
        )


def test_a_campaign_that_is_paused_before_it_fails_fails(database, logs, before_it_fails):
    campaign = damaged(database, logs)
    before_it_fails(lambda: pause(database))

    assert send(database, logs, campaign) is Outcome.FAILED

    failed = as_stored(database, campaign)
    assert (failed.state, shards_of(database, campaign)[0].state) == (State.FAILED, ShardState.SUSPECT)
    assert "has 0 bytes where" in words(failed.reason)
    assert failed.halted_since_ms == campaign.id * 1000  # for as long as that it does not run
    assert log_path(logs, "a", 0).read_bytes() == b""


def test_a_pause_that_finds_a_log_damaged_says_that_the_campaign_failed(database, logs):
    campaign = damaged(database, logs)
    change_shard(database, campaign, lease_until_ms=1)

    assert control(database, logs, "a", Verb.PAUSE).snapshot.campaign.state is State.FAILED

    assert shards_of(database, campaign)[0].state is ShardState.SUSPECT
    assert log_path(logs, "a", 0).read_bytes() == b""


def test_a_damaged_log_is_compared_where_its_campaign_failed_for_another_one_before(database, logs, before_it_fails):
    campaign = damaged(database, logs)
    before_it_fails(lambda: fail(database, campaign, Sentence("plain", text="another one")))
    send(database, logs, campaign)

    assert as_stored(database, campaign).state is State.FAILED
    assert shards_of(database, campaign)[0].state is ShardState.SUSPECT


def test_a_failed_campaign_is_sent_no_further(sqlite, logs):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", 10)
    send(sqlite, logs, campaign, 0, should_stop=after(1))
    log_path(logs, "a", 0).unlink()
    send(sqlite, logs, campaign, 0)

    assert send(sqlite, logs, campaign, 1) is Outcome.HALTED
    assert log_path(logs, "a", 1).read_bytes() == b""


def test_a_shard_that_is_done_is_not_sent_again(database, logs):
    move_in(database, ROWS)
    campaign = run(database, logs, "a", SIZE)

    assert send(database, logs, campaign) is Outcome.HALTED

    assert campaign.state is State.FINISHED
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)


def test_a_shard_whose_log_another_process_writes_is_left_alone(sqlite, logs):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", SIZE)
    other = LogFile(logs, "a", 0)

    assert send(sqlite, logs, campaign) is Outcome.TAKEN

    other.close()
    assert shards_of(sqlite, campaign)[0].owner == ""
    assert send(sqlite, logs, campaign) is Outcome.COMPLETE


def test_a_shard_of_another_machine_is_left_alone_until_that_is_silent(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    now_ms = time.time_ns() // 1_000_000

    change_shard(database, campaign, owner="elsewhere", lease_until_ms=now_ms + 60_000)
    while_it_lives = send(database, logs, campaign)
    left_alone = logs_of(logs, "a")
    change_shard(database, campaign, lease_until_ms=1)
    afterwards = send(database, logs, campaign)

    assert (while_it_lives, afterwards) == (Outcome.TAKEN, Outcome.COMPLETE)
    assert left_alone == {"task_0.log": b""}


def test_a_shard_lost_to_another_machine_is_recorded_no_further(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)

    def is_lost() -> bool:
        change_shard(database, campaign, owner="elsewhere")
        return False

    assert send(database, logs, campaign, should_stop=is_lost) is Outcome.TAKEN

    assert shards_of(database, campaign)[0].tally.sent == 0


def test_a_task_that_has_recorded_no_page_yet_holds_its_shard_against_others(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    taken = []

    def look() -> bool:
        if not taken:
            with writing(database) as connection, pytest.raises(ShardTaken):
                taken.append("asked")
                shards.claim(connection, campaign.id, 0, "elsewhere")
        return False

    assert send(database, logs, campaign, should_stop=look) is Outcome.COMPLETE
    assert taken == ["asked"]


def test_a_pause_waits_for_a_task_that_has_recorded_no_page_yet(database, logs):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    still_sending = []

    def pause() -> bool:
        if not still_sending:
            with writing(database) as connection:
                campaigns.change(connection, campaign.id, Verb.PAUSE)
            still_sending.append(let_go_of_all(database, logs, campaign))
        return False

    assert send(database, logs, campaign, should_stop=pause) is Outcome.HALTED
    assert still_sending == [[0]]
    assert let_go_of_all(database, logs, campaign) == []


@pytest.mark.parametrize("reverse", [False, True])
def test_shards_wait_in_order_oldest_campaign_first(sqlite, reverse):
    move_in(sqlite, [person(5), person(15), person(25)])
    first, second = trigger(sqlite, "z", 10), trigger(sqlite, "a", 10)

    with sqlite.connect() as connection:
        # Without an order of its own, SQLite then gives rows the other way round.
        connection.exec_driver_sql(f"PRAGMA reverse_unordered_selects = {reverse:d}")
        waiting = shards.waiting(connection, "here")
        connection.exec_driver_sql("PRAGMA reverse_unordered_selects = 0")

    assert waiting == [(campaign.id, number) for campaign in (first, second) for number in range(3)]


def test_a_log_that_cannot_be_opened_blocks_its_shard_until_it_can(sqlite, logs):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", SIZE)
    logs.mkdir()
    (logs / "a").touch()

    blocked = send(sqlite, logs, campaign)
    (logs / "a").unlink()
    afterwards = send(sqlite, logs, campaign)

    assert (blocked, afterwards) == (Outcome.BLOCKED, Outcome.COMPLETE)
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)


def test_a_disk_that_fills_up_in_the_middle_blocks_a_shard_and_costs_no_message(database, logs, monkeypatch):
    move_in(database, ROWS)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(1))
    recorded = shards_of(database, campaign)[0].tally.sent
    with monkeypatch.context() as context:
        context.setattr(os, "fdatasync", finds_no_space)
        blocked = send(database, logs, campaign)

    assert shards_of(database, campaign)[0].tally.sent == recorded > 0
    assert (blocked, send(database, logs, campaign)) == (Outcome.BLOCKED, Outcome.COMPLETE)
    assert as_stored(database, campaign).state is State.RUNNING
    assert logs_of(logs, "a") == expected_logs(ROWS, SIZE)


def finds_no_space(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_database_that_fails_is_said_to_the_caller_and_lets_the_log_go(sqlite, logs, monkeypatch):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", SIZE)
    with monkeypatch.context() as context:
        context.setattr(shards, "claim", dies)
        with pytest.raises(ConnectionError):
            send(sqlite, logs, campaign)

    assert not issubclass(ConnectionError, AppError)
    assert send(sqlite, logs, campaign) is Outcome.COMPLETE
