"""Pause, resume and cancel: what the database and the logs say at that moment, step by step in this process."""

import pytest

from app.campaigns import control as module
from app.campaigns.control import control
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome
from app.errors import BadRequest, UnknownCampaign, WrongState
from app.gateways.log_file.folder import log_path
from app.gateways.log_file.journal import LogFile
from app.store import campaigns, shards
from app.store.database import writing
from tests.integration.app.campaigns import after, as_stored, change_shard, run, send, shards_of, trigger
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.words import refused

CROWD = crowd(10)
SIZE = 100
OVER_MS, NOT_OVER_MS = 1, 4_000_000_000_000

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def without_waiting(monkeypatch):
    """For a test whose own thread is the task that would have to stop."""
    monkeypatch.setattr(module, "SETTLED_WITHIN_S", 0.0)


def die(database, logs, campaign, number=0):
    """A task sends a page, and then its process is killed: nobody gives the shard back."""
    send(database, logs, campaign, number, should_stop=after(1))
    change_shard(database, campaign, lease_until_ms=OVER_MS)


def during_page(number, act):
    """A `should_stop` that acts before that page, from 0, and never stops."""
    asked = iter(range(1000))

    def should_stop() -> bool:
        if next(asked) == number:
            act()
        return False

    return should_stop


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.CANCEL])
def test_counts_are_exact_at_once_and_the_task_takes_back_what_came_after(database, logs, without_waiting, verb):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    told = []

    outcome = send(
        database, logs, campaign, should_stop=during_page(2, lambda: told.append(control(database, logs, "a", verb)))
    )

    (done,) = told
    (shard,) = shards_of(database, campaign)
    assert outcome is Outcome.HALTED
    assert (done.snapshot.tally.sent, done.still_sending) == (6, [0])
    assert (shard.tally.sent, shard.lease_until_ms) == (6, 0)
    assert log_path(logs, "a", 0).read_bytes().count(b"\n") == 6
    assert log_path(logs, "a", 0).stat().st_size == shard.log_bytes


def test_a_paused_campaign_is_not_sent_until_it_is_resumed(database, logs):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    send(database, logs, campaign, should_stop=after(2))

    paused = control(database, logs, "a", Verb.PAUSE)
    meanwhile = send(database, logs, campaign)
    resumed = control(database, logs, "a", Verb.RESUME)
    afterwards = send(database, logs, campaign)

    assert (paused.snapshot.campaign.state, resumed.snapshot.campaign.state) == (State.PAUSED, State.RUNNING)
    assert (meanwhile, afterwards) == (Outcome.HALTED, Outcome.COMPLETE)
    assert logs_of(logs, "a") == expected_logs(CROWD, SIZE)


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.CANCEL])
def test_what_a_dead_task_had_delivered_and_not_recorded_is_taken_back(database, logs, verb):
    move_in(database, CROWD)
    campaign = trigger(database, "a", SIZE)
    die(database, logs, campaign)
    with log_path(logs, "a", 0).open("ab") as log:
        log.write(b"a page that nobody recorded\n")

    done = control(database, logs, "a", verb)

    assert done.still_sending == []
    assert log_path(logs, "a", 0).stat().st_size == shards_of(database, campaign)[0].log_bytes


def test_a_task_of_a_halted_campaign_takes_back_what_the_command_could_not_reach(sqlite, logs, tmp_path):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    die(sqlite, logs, campaign)
    (before,) = shards_of(sqlite, campaign)
    with log_path(logs, "a", 0).open("ab") as log:
        log.write(b"a page that nobody recorded\n")
    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.CANCEL)
        waiting = shards.waiting(connection, before.owner)

    outcome = send(sqlite, logs, campaign)

    with sqlite.connect() as connection:
        assert (waiting, shards.waiting(connection, before.owner)) == ([(campaign.id, 0)], [])
    assert outcome is Outcome.HALTED
    assert log_path(logs, "a", 0).stat().st_size == before.log_bytes


def test_a_shard_that_is_still_sent_is_named(sqlite, logs, without_waiting):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 5)
    die(sqlite, logs, campaign, 1)
    task = LogFile(logs, "a", 1)

    done = control(sqlite, logs, "a", Verb.PAUSE)

    task.close()
    assert done.still_sending == [1]


def test_a_shard_in_the_folder_of_another_machine_is_left_to_it(sqlite, logs, without_waiting):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    send(sqlite, logs, campaign, should_stop=after(1))
    change_shard(sqlite, campaign, owner="elsewhere", lease_until_ms=NOT_OVER_MS)

    assert control(sqlite, logs, "a", Verb.PAUSE).still_sending == [0]


def test_a_pause_makes_no_folder(sqlite, logs):
    move_in(sqlite, CROWD)
    trigger(sqlite, "a", SIZE)

    control(sqlite, logs, "a", Verb.PAUSE)

    assert not logs.exists()


ALLOWED = {
    (Verb.PAUSE, State.RUNNING),
    (Verb.RESUME, State.PAUSED),
    (Verb.RESUME, State.FAILED),
    (Verb.CANCEL, State.RUNNING),
    (Verb.CANCEL, State.PAUSED),
    (Verb.CANCEL, State.FAILED),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME, Verb.CANCEL])
def test_what_is_wrong_is_refused_with_the_state_and_changes_nothing(sqlite, logs, verb, state):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)
    with writing(sqlite) as connection:
        connection.execute(campaigns.campaigns.update().values(state=state))
    if (verb, state) in ALLOWED:
        control(sqlite, logs, "a", verb)
        return

    done = {Verb.PAUSE: State.PAUSED, Verb.RESUME: State.RUNNING, Verb.CANCEL: State.CANCELLED}
    already = f"already {state}" if done[verb] is state else f"{state} and cannot be {verb.rstrip('e')}l?ed"
    with refused(WrongState, match=f"^a is {already}$"):
        control(sqlite, logs, "a", verb)

    assert as_stored(sqlite, campaign).state is state


@pytest.mark.parametrize(("name", "error"), [("b", UnknownCampaign), ("../a", BadRequest)])
def test_a_name_that_nobody_has_is_refused(sqlite, logs, name, error):
    with pytest.raises(error):
        control(sqlite, logs, name, Verb.PAUSE)


def test_an_end_has_its_time(sqlite, logs):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", SIZE)

    control(sqlite, logs, "a", Verb.CANCEL)

    assert as_stored(sqlite, campaign).finished_at is not None


def test_a_failed_campaign_that_is_resumed_has_every_log_looked_at_and_no_reason_any_more(sqlite, logs):
    move_in(sqlite, CROWD)
    campaign = run(sqlite, logs, "a", 5)
    with writing(sqlite) as connection:
        connection.execute(campaigns.campaigns.update().values(state=State.FAILED, reason="a log is gone"))

    resumed = control(sqlite, logs, "a", Verb.RESUME)

    assert (resumed.snapshot.campaign.state, resumed.snapshot.campaign.reason) == (State.RUNNING, None)
    assert {each.state for each in shards_of(sqlite, campaign)} == {ShardState.SUSPECT}
