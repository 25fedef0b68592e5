"""Two folders of logs on one database: what was sent from one is never sent again from the other. In this process."""

import io
import time

import pytest
import sqlalchemy as sa

from app.campaigns import abandon as module
from app.campaigns import control as controlling
from app.campaigns.control import control
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome
from app.errors import FolderAlive, UnknownFolder
from app.gateways.log_file.folder import owner_of
from app.store import campaigns, shards
from app.store.clock import LEASE_S
from app.store.database import writing
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in

CROWD = crowd(10)
SIZE = 100

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other"


@pytest.fixture
def begun(database, other):
    """A campaign of which six messages stand in another folder, whose server is long gone."""
    campaign = begun_in(other, database, pages=2)
    change_shard(database, campaign, lease_until_ms=1)
    return campaign


def begun_in(folder, engine, pages=1):
    """A campaign of which so many pages, of three messages each, stand in that folder; its server lives."""
    move_in(engine, CROWD)
    campaign = trigger(engine, "a", SIZE)
    send(engine, folder, campaign, should_stop=after(pages))
    return campaign


def test_a_shard_is_never_taken_up_without_its_log(database, logs, other, begun):
    assert send(database, logs, begun) is Outcome.TAKEN

    with database.connect() as connection:
        assert shards.waiting(connection, owner_of(logs)) == []
        assert shards.elsewhere(connection, owner_of(logs)) == {(begun.id, owner_of(other)): [0]}
    assert as_stored(database, begun).state is State.RUNNING
    assert send(database, other, begun) is Outcome.COMPLETE
    assert logs_of(other, "a") == expected_logs(CROWD, SIZE)
    assert logs_of(logs, "a") == {"task_0.log": b""}


def test_a_resume_from_another_folder_sends_nobody_a_second_message(sqlite, logs, other):
    move_in(sqlite, CROWD)
    campaign = run(sqlite, other, "a", SIZE)
    send(sqlite, logs, trigger(sqlite, "b", SIZE))
    with writing(sqlite) as connection:
        connection.execute(campaigns.campaigns.update().values(state=State.FAILED))

    control(sqlite, logs, "a", Verb.RESUME)

    assert shards_of(sqlite, campaign)[0].state is ShardState.FINISHED
    assert send(sqlite, logs, campaign) is Outcome.TAKEN
    assert logs_of(logs, "a").get("task_0.log", b"") == b""


def test_a_folder_that_is_given_up_is_sent_again_from_another_one(database, logs, other, begun):
    loss = module.estimate(database, logs, "a", owner_of(other)[:8])
    module.abandon(database, logs, "a", str(other))

    assert (loss.shards, loss.sent) == ([0], 6)
    assert send(database, logs, begun) is Outcome.COMPLETE
    assert logs_of(logs, "a") == expected_logs(CROWD, SIZE)
    assert send(database, other, begun) is Outcome.TAKEN


def test_logs_that_were_carried_over_from_a_folder_that_is_given_up_are_kept(database, logs, other, begun):
    (logs / "a").mkdir(parents=True)
    (logs / "a" / "task_0.log").write_bytes((other / "a" / "task_0.log").read_bytes())

    module.abandon(database, logs, "a", str(other))
    outcome = send(database, logs, begun, should_stop=after(2))  # two pages are compared

    assert (outcome, shards_of(database, begun)[0].tally.sent) == (Outcome.STOPPED, 6)


@pytest.mark.parametrize("folder", ["", "nobody", "/"])
def test_a_folder_that_has_nothing_of_a_campaign_is_not_given_up(sqlite, logs, other, folder):
    begun_in(other, sqlite)

    with pytest.raises(UnknownFolder):
        module.abandon(sqlite, logs, "a", folder)


def test_a_folder_that_shows_signs_of_life_is_not_given_up(sqlite, logs, other):
    campaign = begun_in(other, sqlite)

    with pytest.raises(FolderAlive):
        module.abandon(sqlite, logs, "a", str(other))

    assert shards_of(sqlite, campaign)[0].owner == owner_of(other)


@pytest.mark.parametrize("apart_s", [-3600, 3600])
def test_a_host_whose_clock_is_wrong_robs_nobody_and_is_taken_for_alive(mysql, logs, other, monkeypatch, apart_s):
    campaign = begun_in(other, mysql)
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + apart_s * 10**9)

    with pytest.raises(FolderAlive):
        module.abandon(mysql, logs, "a", str(other))
    with mysql.connect() as connection:
        assert shards.elsewhere(connection, owner_of(logs)) == {}
    send(mysql, other, campaign, should_stop=after(1))
    monkeypatch.undo()
    with mysql.connect() as connection:
        left_ms = connection.execute(
            sa.select(shards.shards.c.lease_until_ms - sa.func.unix_timestamp() * 1000)
        ).scalar_one()

    assert shards_of(mysql, campaign)[0].is_held
    assert left_ms <= (LEASE_S + 2) * 1000


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


def test_the_commands_say_whose_a_log_is_and_ask_before_its_folder_is_given_up(app, sqlite, logs, other, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    campaign = begun_in(other, sqlite)
    change_shard(sqlite, campaign, lease_until_ms=1)
    short = owner_of(other)[:8]

    said = app("status", "a").out
    refused = app("resume", "a", "--abandon", short)
    untouched = shards_of(sqlite, campaign)[0].owner
    done = app("resume", "a", "--abandon", short, "--yes")

    assert f"python -m app resume a --abandon {short}" in " ".join(said.split())
    assert (refused.code, untouched) == (1, owner_of(other))
    assert (done.code, shards_of(sqlite, campaign)[0].owner) == (0, "")
    assert "3 messages of task 0 are on record" in " ".join(done.out.split())
