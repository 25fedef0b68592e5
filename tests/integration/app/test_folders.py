"""Two folders of logs on one database: each message stands in one of them, once. In this process."""

import time

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.campaigns import control as controlling
from app.campaigns import finish
from app.campaigns.abandon import abandon
from app.campaigns.control import control
from app.campaigns.release import cut_back_all
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome
from app.errors import FolderAlive, Overtaken
from app.gateways.log_file.folder import log_path, make_folder, owner_of
from app.gateways.log_file.journal import LogFile
from app.sending import journal
from app.sending import shard as sending
from app.store import campaigns, hosts, log_parts, shards, tables
from app.store.clock import LEASE_S, lease_until_ms
from app.store.database import host_of, writing
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger, with_tables
from tests.integration.app.people import crowd, expected_logs, greeting, logs_of, move_in
from tests.words import words

CROWD = crowd(10)
SIZE = 100
LINES = [greeting(each).encode() for each in CROWD]

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other"


@pytest.fixture
def begun(database, other):
    """A campaign of which six messages stand in another folder, whose server is long gone."""
    return begun_in(other, database, pages=2)


def begun_in(folder, engine, pages=1, *, is_silent=True, move=True):
    """A campaign of which so many pages, of three messages each, stand in that folder."""
    if move:
        move_in(engine, CROWD)
    campaign = trigger(engine, "a", SIZE)
    send(engine, folder, campaign, should_stop=after(pages))
    if is_silent:
        fall_silent(engine, campaign)
    else:
        show_life(engine, campaign)
    return campaign


def fall_silent(engine, campaign):
    change_shard(engine, campaign, lease_until_ms=1)


def show_life(engine, campaign):
    """As while a task is at it, and for a while after its slice."""
    with writing(engine) as connection:
        its = shards.shards.c.campaign_id == campaign.id
        connection.execute(shards.shards.update().where(its).values(lease_until_ms=lease_until_ms(connection)))


def log_of(folder):
    path = log_path(folder, "a", 0)
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def parts_of(engine, campaign):
    with engine.connect() as connection:
        return log_parts.of_shard(connection, shards.get(connection, campaign.id, 0))


def stretches(engine, campaign, *folders):
    """Where everybody's message is by the record: which folder, ids, bytes."""
    names = {owner_of(each): place for place, each in enumerate(folders)}
    return [
        (names[each.folder], each.first_id, each.last_id, each.from_byte, each.to_byte)
        for each in parts_of(engine, campaign)
    ]


def bytes_of(first, last):
    return sum(map(len, LINES[first - 1 : last]))


def write_on(folder, text):
    """What a process does that was cut off and has not noticed."""
    with log_path(folder, "a", 0).open("ab") as log:
        log.write(text)


# ── a silent folder ─────────────────────────────────────────────────────────────────────────────


def test_a_silent_folders_shard_goes_on_in_another_one_behind_the_record(database, logs, other, begun):
    assert send(database, logs, begun) is Outcome.COMPLETE

    assert log_of(other) == LINES[:6]
    assert log_of(logs) == LINES[6:]
    assert stretches(database, begun, other, logs) == [
        (0, 1, 6, 0, bytes_of(1, 6)),
        (1, 7, 10, 0, bytes_of(7, 10)),
    ]
    assert shards_of(database, begun)[0].tally.sent == 10


def test_a_folder_that_shows_signs_of_life_keeps_its_shard(database, logs, other):
    campaign = begun_in(other, database, is_silent=False)

    assert send(database, logs, campaign) is Outcome.TAKEN

    with database.connect() as connection:
        assert shards.waiting(connection, owner_of(logs)) == []
    assert log_of(logs) == []
    assert [each.folder for each in parts_of(database, campaign)] == [owner_of(other)]


@pytest.mark.parametrize("apart_s", [-3600, 3600])
def test_a_host_whose_clock_is_wrong_robs_nobody_and_is_taken_for_alive(mysql, logs, other, monkeypatch, apart_s):
    campaign = begun_in(other, mysql, is_silent=False)
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + apart_s * 10**9)

    with pytest.raises(FolderAlive):
        abandon(mysql, logs, "a", str(other))
    assert send(mysql, logs, campaign) is Outcome.TAKEN
    with mysql.connect() as connection:
        assert shards.waiting(connection, owner_of(logs)) == []
    send(mysql, other, campaign, slice_s=0.0)
    monkeypatch.undo()
    with mysql.connect() as connection:
        left_ms = connection.execute(
            sa.select(shards.shards.c.lease_until_ms - sa.func.unix_timestamp() * 1000)
        ).scalar_one()

    assert shards_of(mysql, campaign)[0].is_held
    assert left_ms <= (LEASE_S + 2) * 1000


def test_a_task_that_was_told_to_stop_leaves_its_shard_to_whoever_comes(database, logs, other):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    assert send(database, other, campaign, should_stop=after(1)) is Outcome.STOPPED

    assert send(database, logs, campaign, should_stop=after(1)) is Outcome.STOPPED
    assert send(database, other, campaign) is Outcome.COMPLETE

    assert (log_of(other), log_of(logs)) == (LINES[:3] + LINES[6:], LINES[3:6])


def test_a_task_whose_slice_is_over_keeps_its_shard_where_it_is(database, logs, other):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    assert send(database, other, campaign, slice_s=0.0) is Outcome.SLICE

    assert send(database, logs, campaign) is Outcome.TAKEN


def test_a_task_that_stops_takes_nothing_from_who_came_meanwhile(sqlite, logs, other):
    campaign = begun_in(other, sqlite)
    with writing(sqlite) as connection:
        before = shards.get(connection, campaign.id, 0)
        log_parts.claim(connection, campaign.id, 0, owner_of(other))
        shards.release(connection, shards.Hold(campaign.id, 0, owner_of(other), before.epoch))

    assert shards_of(sqlite, campaign)[0].is_held


def test_a_shard_of_a_silent_folder_waits_for_whoever_comes(database, logs, begun):
    with database.connect() as connection:
        assert shards.waiting(connection, "anybody") == [(begun.id, 0)]


def test_tasks_of_all_hosts_are_given_a_shard_where_it_is_until_that_is_silent(sqlite, other):
    campaign = begun_in(other, sqlite, is_silent=False)

    def given_to():
        with sqlite.connect() as connection:
            return shards.waiting(connection, None), shards.folder_for(connection, campaign.id, 0)

    while_it_lives = given_to()
    fall_silent(sqlite, campaign)
    silent = given_to()
    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.PAUSE)
    paused = given_to()

    assert while_it_lives == ([(campaign.id, 0)], owner_of(other))
    assert silent == ([(campaign.id, 0)], "")
    assert paused == ([(campaign.id, 0)], owner_of(other))  # to be let go of


def test_it_may_go_to_and_fro_and_each_folder_has_its_stretches_one_after_the_other(database, logs, other):
    campaign = begun_in(other, database)
    send(database, logs, campaign, should_stop=after(1))
    fall_silent(database, campaign)

    assert send(database, other, campaign) is Outcome.COMPLETE

    assert log_of(other) == LINES[:3] + LINES[6:]
    assert log_of(logs) == LINES[3:6]
    assert stretches(database, campaign, other, logs) == [
        (0, 1, 3, 0, bytes_of(1, 3)),
        (1, 4, 6, 0, bytes_of(4, 6)),
        (0, 7, 10, bytes_of(1, 3), bytes_of(1, 3) + bytes_of(7, 10)),
    ]


def test_a_folder_alone_has_one_part_and_the_log_it_always_had(database, logs):
    move_in(database, CROWD)

    campaign = run(database, logs, "a", SIZE)

    assert logs_of(logs, "a") == expected_logs(CROWD, SIZE)
    assert stretches(database, campaign, logs) == [(0, 1, 10, 0, bytes_of(1, 10))]


# ── what was written and is not on record ───────────────────────────────────────────────────────


def test_what_a_cut_off_process_wrote_on_is_cut_before_anything_else_is_written_there(database, logs, other, begun):
    write_on(other, b"".join(LINES[6:9]))
    send(database, logs, begun, should_stop=after(1))
    fall_silent(database, begun)

    assert send(database, other, begun) is Outcome.COMPLETE

    assert log_of(other) == LINES[:6] + LINES[9:]
    assert log_of(logs) == LINES[6:9]


def test_a_process_that_notices_that_it_lost_its_shard_takes_back_what_is_not_on_record(database, logs, other):
    campaign = begun_in(other, database)
    looks = []

    def lose_it():
        """After a page that is written and not on record."""
        looks.append(len(log_of(other)))
        if len(looks) == 1:
            fall_silent(database, campaign)
            assert send(database, logs, campaign) is Outcome.COMPLETE
        return False

    assert send(database, other, campaign, should_stop=lose_it) is Outcome.TAKEN

    assert looks == [3]
    assert log_of(other) + log_of(logs) == LINES


def test_a_folder_that_is_back_cuts_what_is_not_on_record_though_nothing_is_left_to_send(database, logs, other, begun):
    write_on(other, b"".join(LINES[6:]))
    send(database, logs, begun)
    with writing(database) as connection:
        shards.finish(connection, begun.id, 0)

    cut_back_all(database, other, owner_of(other))

    assert log_of(other) + log_of(logs) == LINES
    with database.connect() as connection:
        assert log_parts.to_cut(connection, owner_of(other)) == []


def test_nothing_is_cut_by_what_a_server_says_that_may_not_know_all(own_mariadb, logs, other):
    """A replica that is not promoted yet, where the address leads already."""
    with own_mariadb.schema() as url, with_tables(url) as database:
        campaign = begun_in(other, database)
        send(database, logs, campaign)
        write_on(other, b"and more\n")
        own_mariadb.execute("SET GLOBAL read_only = 1")
        try:
            with pytest.raises(DBAPIError):
                cut_back_all(database, other, owner_of(other))
        finally:
            own_mariadb.execute("SET GLOBAL read_only = 0")
        before = log_of(other)

        cut_back_all(database, other, owner_of(other))

    assert (before, log_of(other)) == ([*LINES[:3], b"and more\n"], LINES[:3])


@pytest.mark.parametrize("is_suspect", [False, True])
def test_no_task_cuts_its_log_by_what_such_a_server_says(own_mariadb, other, monkeypatch, is_suspect):
    """Where it looks again: after a repair, and when somebody else decided of a number meanwhile."""

    def fall_behind(*_, **__):
        change_shard(database, campaign, last_id=0, log_bytes=0)
        own_mariadb.execute("SET GLOBAL read_only = 1")
        if is_suspect:
            return True
        raise Overtaken("overtaken")

    with own_mariadb.schema() as url, with_tables(url) as database:
        campaign = begun_in(other, database, pages=2)
        if is_suspect:
            change_shard(database, campaign, state=ShardState.SUSPECT)
        monkeypatch.setattr(journal, "repair" if is_suspect else "decide", fall_behind)
        try:
            outcome = send(database, other, campaign)
        finally:
            own_mariadb.execute("SET GLOBAL read_only = 0")

    assert (outcome, log_of(other)) == (Outcome.BLOCKED, LINES[:6])


def test_nothing_is_cut_while_a_process_has_the_log(sqlite, logs, other):
    campaign = begun_in(other, sqlite, pages=2)
    send(sqlite, logs, campaign)
    write_on(other, LINES[6])
    held = LogFile(other, "a", 0)

    cut_back_all(sqlite, other, owner_of(other))
    has_it_all = log_of(other)
    held.close()
    cut_back_all(sqlite, other, owner_of(other))

    assert has_it_all == LINES[:7]
    assert log_of(other) == LINES[:6]


def test_a_folder_whose_logs_were_removed_is_not_asked_for_ever(sqlite, logs, other):
    campaign = begun_in(other, sqlite)
    send(sqlite, logs, campaign)
    log_path(other, "a", 0).unlink()

    cut_back_all(sqlite, other, owner_of(other))

    assert not log_path(other, "a", 0).exists()
    with sqlite.connect() as connection:
        assert log_parts.to_cut(connection, owner_of(other)) == []


def test_who_took_it_up_and_died_at_once_leaves_nothing_behind(sqlite, logs, other, tmp_path):
    campaign = begun_in(other, sqlite)
    send(sqlite, logs, campaign, should_stop=lambda: True)
    write_on(logs, LINES[3])
    fall_silent(sqlite, campaign)

    third = tmp_path / "third"
    assert send(sqlite, third, campaign) is Outcome.COMPLETE
    cut_back_all(sqlite, logs, owner_of(logs))

    assert (log_of(other), log_of(logs), log_of(third)) == (LINES[:3], [], LINES[3:])
    assert [each.folder for each in parts_of(sqlite, campaign)] == [owner_of(other), owner_of(third)]


def test_an_epoch_of_before_records_nothing_even_from_the_same_folder(sqlite, logs):
    """As when two hosts have copies of one disk, and with it a folder of the same name."""
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)

    def somebody_else_claims():
        change_shard(sqlite, campaign, epoch=7)
        return False

    assert send(sqlite, logs, campaign, should_stop=somebody_else_claims) is Outcome.TAKEN
    assert shards_of(sqlite, campaign)[0].tally.sent == 0


def test_a_log_that_was_carried_over_is_not_cut_off_by_who_takes_the_shard_up(sqlite, logs, begun_sqlite):
    (logs / "a").mkdir(parents=True)
    log_path(logs, "a", 0).write_bytes(b"".join(LINES[:6]))

    assert send(sqlite, logs, begun_sqlite) is Outcome.BLOCKED

    assert log_of(logs) == LINES[:6]
    assert len(parts_of(sqlite, begun_sqlite)) == 1


@pytest.fixture
def begun_sqlite(sqlite, other):
    return begun_in(other, sqlite, pages=2)


# ── pause, and logs that were damaged ───────────────────────────────────────────────────────────


def test_a_pause_does_not_wait_for_a_silent_folder(sqlite, logs, other, begun_sqlite, monkeypatch):
    monkeypatch.setattr(controlling, "SETTLED_WITHIN_S", 60.0)
    monkeypatch.setattr(controlling.time, "sleep", lambda _: pytest.fail("it waits"))
    owner_of(logs)

    assert control(sqlite, logs, "a", Verb.PAUSE).still_sending == []


def test_a_finished_shard_of_another_folder_is_not_waited_for(sqlite, logs, other, monkeypatch):
    monkeypatch.setattr(controlling, "SETTLED_WITHIN_S", 60.0)
    monkeypatch.setattr(controlling.time, "sleep", lambda _: pytest.fail("it waits"))
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 5)
    send(sqlite, other, campaign, 0)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
    logs.mkdir()
    control(sqlite, logs, "a", Verb.PAUSE)
    control(sqlite, logs, "a", Verb.RESUME)

    assert control(sqlite, logs, "a", Verb.PAUSE).still_sending == []


def fail(engine):
    with writing(engine) as connection:
        connection.execute(tables.campaigns.update().values(state=State.FAILED, finished_at=None))


def test_a_resume_from_another_folder_sends_nobody_a_second_message(sqlite, logs, other):
    move_in(sqlite, CROWD)
    campaign = run(sqlite, other, "a", SIZE)
    send(sqlite, logs, trigger(sqlite, "b", SIZE))
    fail(sqlite)

    control(sqlite, logs, "a", Verb.RESUME)

    assert shards_of(sqlite, campaign)[0].state is ShardState.FINISHED
    assert send(sqlite, logs, campaign) is Outcome.TAKEN
    assert logs_of(logs, "a").get("task_0.log", b"") == b""


def show_host(engine, folder, places=4):
    """A server is there that has this folder, and so many workers of its own."""
    with writing(engine) as connection:
        hosts.beat(connection, folder.name, "server:1", hosts.SERVER, places, 0, make_folder(folder))


def silent_for(s):
    def fall_silent(connection):
        connection.execute(tables.hosts.update().values(seen_ms=tables.hosts.c.seen_ms - s * 1000))

    return fall_silent


def stop_in_order(connection):
    hosts.leave(connection, "other", "server:1")


def test_after_a_failure_nobody_waits_for_the_log_of_a_dead_host(database, logs, other, begun):
    show_host(database, logs)
    fail(database)

    control(database, logs, "a", Verb.RESUME)

    assert send(database, logs, begun) is Outcome.COMPLETE
    assert (log_of(other), log_of(logs)) == (LINES[:6], LINES[6:])


def test_after_a_failure_the_log_of_a_living_host_is_compared_there(database, logs, other, begun):
    for each in (logs, other):
        show_host(database, each)
    fail(database)

    control(database, logs, "a", Verb.RESUME)

    assert shards_of(database, begun)[0].state is ShardState.SUSPECT
    assert send(database, logs, begun) is Outcome.TAKEN
    assert send(database, other, begun) is Outcome.COMPLETE
    assert log_of(other) == LINES


def check_damage_is_mended_there(engine, logs, other, campaign):
    """A log in another folder is damaged when the campaign, failed for something else, is resumed from this one."""
    log_path(other, "a", 0).write_bytes(b"".join(LINES[1:6]))
    fail(engine)
    control(engine, logs, "a", Verb.RESUME)
    assert send(engine, logs, campaign) is Outcome.TAKEN
    assert send(engine, other, campaign) is Outcome.COMPLETE
    assert log_of(other) == LINES


@pytest.mark.parametrize("become", [stop_in_order, silent_for(120)])
def test_after_a_failure_the_log_of_a_host_that_is_away_for_a_moment_waits_for_it(
    sqlite, logs, other, begun_sqlite, become
):
    show_host(sqlite, other)
    with writing(sqlite) as connection:
        become(connection)
    show_host(sqlite, logs)

    check_damage_is_mended_there(sqlite, logs, other, begun_sqlite)


def test_after_a_failure_a_host_that_was_silent_for_long_is_dead(sqlite, logs, other, begun_sqlite):
    show_host(sqlite, other)
    with writing(sqlite) as connection:
        silent_for(hosts.DEAD_AFTER_MS // 1000 + 60)(connection)
    show_host(sqlite, logs)
    fail(sqlite)

    control(sqlite, logs, "a", Verb.RESUME)

    assert send(sqlite, logs, begun_sqlite) is Outcome.COMPLETE


def test_after_a_failure_every_log_is_compared_where_nobody_is_there_who_writes_any(sqlite, logs, other, begun_sqlite):
    """A server of a fleet whose workers are all stopped is there, and a worker that sends to networks alone."""
    show_host(sqlite, logs, places=0)
    with writing(sqlite) as connection:
        hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 4, 0, "")

    check_damage_is_mended_there(sqlite, logs, other, begun_sqlite)


@pytest.mark.parametrize("other_is_dead", [False, True])
def test_a_damaged_log_is_left_to_the_folder_that_has_it(sqlite, logs, other, begun_sqlite, other_is_dead):
    if other_is_dead:
        show_host(sqlite, logs)
    log_path(other, "a", 0).write_bytes(b"".join(LINES[1:6]))
    assert send(sqlite, other, begun_sqlite) is Outcome.FAILED
    control(sqlite, logs, "a", Verb.RESUME)
    fall_silent(sqlite, begun_sqlite)

    assert send(sqlite, logs, begun_sqlite) is Outcome.TAKEN
    with sqlite.connect() as connection:
        waits = shards.elsewhere(connection, owner_of(logs))
    assert send(sqlite, other, begun_sqlite) is Outcome.COMPLETE

    assert waits == {(begun_sqlite.id, owner_of(other)): [0]}
    assert log_of(other) == LINES


def pause_there(engine, other, *_):
    control(engine, other, "a", Verb.PAUSE)


def send_there(engine, other, campaign, monkeypatch):
    """A task finds it, and before it says so somebody pauses the campaign from where the log is not."""

    def pause_and_fail(*given):
        with writing(engine) as connection:
            campaigns.change(connection, campaign.id, Verb.PAUSE)
        return finish.fail(*given)

    monkeypatch.setattr(sending, "fail", pause_and_fail)
    assert send(engine, other, campaign) is Outcome.FAILED


@pytest.mark.parametrize("finds_it", [pause_there, send_there])
def test_a_log_that_is_found_damaged_in_a_pause_is_left_to_the_folder_that_has_it(
    sqlite, logs, other, begun_sqlite, monkeypatch, finds_it
):
    log_path(other, "a", 0).write_bytes(b"".join(LINES[1:6]))
    finds_it(sqlite, other, begun_sqlite, monkeypatch)
    control(sqlite, logs, "a", Verb.RESUME)
    fall_silent(sqlite, begun_sqlite)

    assert send(sqlite, logs, begun_sqlite) is Outcome.TAKEN
    assert send(sqlite, other, begun_sqlite) is Outcome.COMPLETE
    assert log_of(other) == LINES


def test_a_campaign_in_several_folders_says_on_which_host_a_log_is_damaged(sqlite, logs, other, begun_sqlite):
    send(sqlite, logs, begun_sqlite, should_stop=after(1))
    log_path(logs, "a", 0).write_bytes(b"")

    assert send(sqlite, logs, begun_sqlite) is Outcome.FAILED

    said = words(as_stored(sqlite, begun_sqlite).reason)
    assert said.startswith(f"on host {host_of(sqlite)}: {log_path(logs, 'a', 0)} has 0 bytes where")
    assert said.endswith("run there: python -m app resume a")


def test_a_stretch_that_was_damaged_after_its_shard_went_on_elsewhere_is_mended_in_its_place(database, logs, other):
    campaign = begun_in(other, database, pages=2)
    send(database, logs, campaign, should_stop=after(1))
    fall_silent(database, campaign)
    log_path(other, "a", 0).write_bytes(LINES[0] + b"".join(LINES[2:6]))
    fail(database)

    control(database, other, "a", Verb.RESUME)

    assert send(database, other, campaign) is Outcome.COMPLETE
    assert log_of(other) == LINES[:6] + LINES[9:]
    assert log_of(logs) == LINES[6:9]
    shard = shards_of(database, campaign)[0]
    assert (shard.tally.sent, shard.tally.male + shard.tally.female + shard.tally.neutral) == (10, 10)
    assert as_stored(database, campaign).state is State.RUNNING


# ── counts of parts ─────────────────────────────────────────────────────────────────────────────


def test_the_counts_of_parts_add_up_to_those_of_their_shard(database, logs, other, begun):
    send(database, logs, begun)

    parts, shard = parts_of(database, begun), shards_of(database, begun)[0]

    for form in log_parts.FORMS:
        assert sum(getattr(each.tally, form) for each in parts) == getattr(shard.tally, form)
    assert [each.tally.sent for each in parts] == [6, 4]
    with database.connect() as connection:
        stored = connection.execute(sa.select(tables.log_parts.c.sent).order_by(tables.log_parts.c.number))
        assert list(stored.scalars()) == [6, 0]
