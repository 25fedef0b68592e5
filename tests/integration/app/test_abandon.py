"""A folder of logs that is given up: what lay there is sent again from here, and nobody has two messages. In this
process."""

import io

import pytest

from app.campaigns import abandon as module
from app.campaigns.release import cut_back_all
from app.domain.campaign import ShardState, State
from app.domain.orders import Outcome
from app.errors import FolderAlive, UnknownFolder, WrongState
from app.gateways.log_file.folder import owner_of
from app.store import campaigns, log_parts, shards
from app.store.database import writing
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.test_folders import CROWD, LINES, SIZE, begun_in, fail, fall_silent, log_of, parts_of

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other"


@pytest.fixture
def third(tmp_path):
    return tmp_path / "third"


@pytest.fixture
def begun(database, other):
    """A campaign of which six messages stand in another folder, whose server is long gone."""
    return begun_in(other, database, pages=2)


def test_what_a_folder_had_is_sent_again_from_this_one(database, logs, other, begun):
    loss = module.estimate(database, logs, "a", owner_of(other)[:8])
    module.abandon(database, logs, "a", str(other))

    assert (loss.shards, loss.sent) == ([0], 6)
    assert send(database, logs, begun) is Outcome.COMPLETE
    assert logs_of(logs, "a") == expected_logs(CROWD, SIZE)
    assert send(database, other, begun) is Outcome.TAKEN


def test_a_stretch_between_those_of_others_is_sent_again_and_theirs_stay(database, logs, other, third):
    campaign = begun_in(third, database)
    send(database, other, campaign, should_stop=after(1))
    fall_silent(database, campaign)
    send(database, logs, campaign, should_stop=after(1))
    fall_silent(database, campaign)

    loss = module.abandon(database, logs, "a", str(other))

    assert (loss.sent, send(database, logs, campaign)) == (3, Outcome.COMPLETE)
    assert log_of(third) == LINES[:3]
    assert log_of(logs) == LINES[3:]
    assert shards_of(database, campaign)[0].tally.sent == 10


def test_a_folder_that_comes_back_all_the_same_is_cut_to_nothing(database, logs, other, begun):
    module.abandon(database, logs, "a", str(other))
    send(database, logs, begun)

    cut_back_all(database, other, owner_of(other))

    assert log_of(other) == []
    assert log_of(logs) == LINES
    assert {each.folder for each in parts_of(database, begun)} == {owner_of(logs)}


def test_what_it_had_finished_is_sent_again_too(sqlite, logs, other):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 5)
    send(sqlite, other, campaign, 0)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)

    loss = module.abandon(sqlite, logs, "a", str(other))
    for number in (0, 1):
        assert send(sqlite, logs, campaign, number) is Outcome.COMPLETE

    assert (loss.shards, loss.sent) == ([0], 5)
    assert logs_of(logs, "a") == expected_logs(CROWD, 5)


def test_logs_that_were_carried_over_are_kept(database, logs, other, begun):
    (logs / "a").mkdir(parents=True)
    (logs / "a" / "task_0.log").write_bytes((other / "a" / "task_0.log").read_bytes())

    module.abandon(database, logs, "a", str(other))
    outcome = send(database, logs, begun, should_stop=after(2))  # two pages are compared

    assert (outcome, shards_of(database, begun)[0].tally.sent) == (Outcome.STOPPED, 6)
    assert log_of(logs) == LINES[:6]


def test_a_log_that_was_carried_over_and_put_behind_ones_own_is_kept_too(database, logs, other, begun):
    send(database, logs, begun, should_stop=after(1))
    fall_silent(database, begun)
    with (logs / "a" / "task_0.log").open("ab") as log:
        log.write(b"".join(LINES[:6]))

    module.abandon(database, logs, "a", str(other))

    assert send(database, logs, begun) is Outcome.COMPLETE
    assert log_of(logs) == LINES


def test_a_folder_that_gets_its_shard_back_so_has_nothing_to_cut_any_more(sqlite, logs, other):
    campaign = begun_in(logs, sqlite)
    send(sqlite, other, campaign, should_stop=after(1))
    fall_silent(sqlite, campaign)

    module.abandon(sqlite, logs, "a", str(other))
    send(sqlite, logs, campaign)

    assert log_of(logs) == LINES
    with sqlite.connect() as connection:
        assert log_parts.to_cut(connection, owner_of(logs)) == []
        assert log_parts.to_cut(connection, owner_of(other)) == [(campaign.id, 0)]


def test_who_is_at_the_shard_meanwhile_loses_it_and_takes_back_what_is_not_on_record(sqlite, logs, other, third):
    campaign = begun_in(other, sqlite, pages=2)

    def give_up():
        if len(log_of(third)) == 3:
            module.abandon(sqlite, logs, "a", str(other))
        return False

    assert send(sqlite, third, campaign, should_stop=give_up) is Outcome.TAKEN
    assert send(sqlite, logs, campaign) is Outcome.COMPLETE

    assert log_of(third) == LINES[6:9]
    assert log_of(logs) == LINES[:6] + LINES[9:]


def test_a_failed_campaign_goes_on_without_a_folder_whose_log_was_damaged(sqlite, logs, other):
    campaign = begun_in(other, sqlite, pages=2)
    fail(sqlite)

    module.abandon(sqlite, logs, "a", str(other))

    assert as_stored(sqlite, campaign).state is State.RUNNING
    assert send(sqlite, logs, campaign) is Outcome.COMPLETE
    assert log_of(logs) == LINES


@pytest.mark.parametrize("folder", ["", "nobody", "/"])
def test_a_folder_that_has_nothing_of_a_campaign_is_not_given_up(sqlite, logs, other, folder):
    begun_in(other, sqlite)

    with pytest.raises(UnknownFolder):
        module.abandon(sqlite, logs, "a", folder)


def test_a_folder_that_shows_signs_of_life_is_not_given_up(sqlite, logs, other):
    campaign = begun_in(other, sqlite, is_silent=False)

    with pytest.raises(FolderAlive):
        module.abandon(sqlite, logs, "a", str(other))

    assert shards_of(sqlite, campaign)[0].owner == owner_of(other)


def test_nothing_of_a_finished_campaign_is_given_up(sqlite, logs, other):
    move_in(sqlite, crowd(3))
    run(sqlite, other, "a", SIZE)

    with pytest.raises(WrongState):
        module.abandon(sqlite, logs, "a", str(other))


def test_the_commands_say_where_it_lies_and_ask_before_a_folder_is_given_up(app, sqlite, logs, other, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    campaign = begun_in(other, sqlite)
    short = owner_of(other)[:8]

    said = app("status", "a").out
    refused = app("resume", "a", "--abandon", short)
    untouched = shards_of(sqlite, campaign)[0].owner
    done = app("resume", "a", "--abandon", short, "--yes")

    assert f"3 messages of task 0 are on this host, in another folder, {short}" in " ".join(said.split())
    assert (refused.code, untouched) == (1, owner_of(other))
    assert (done.code, shards_of(sqlite, campaign)[0].owner) == (0, owner_of(logs))
    assert "3 messages of task 0 are on record" in " ".join(done.out.split())


def test_status_says_how_to_give_up_a_folder_that_is_waited_for(app, sqlite, logs, other):
    campaign = begun_in(other, sqlite)
    change_shard(sqlite, campaign, state=ShardState.SUSPECT)
    with writing(sqlite) as connection:
        assert campaigns.get(connection, campaign.id).state is State.RUNNING

    said = app("status", "a").out

    assert f"python -m app resume a --abandon {owner_of(other)[:8]}" in " ".join(said.split())
