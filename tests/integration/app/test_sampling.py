"""How far campaigns were from time to time, on record."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.campaigns import sampling
from app.campaigns.courses import Courses
from app.campaigns.prune import prune
from app.campaigns.sampling import SAMPLE_EVERY_S, Sampler
from app.domain.campaign import Verb
from app.store import campaigns as rows
from app.store import samples
from app.store.database import writing
from app.store.samples import Sample
from tests.integration.app.campaigns import as_stored, change_shard, trigger
from tests.integration.app.people import move_in, person

NOON = 1_700_006_400


@pytest.fixture
def clock(monkeypatch):
    """What the database takes for now; `clock[0]` may be moved."""
    now = [NOON]
    monkeypatch.setattr(sampling, "_now_s", lambda _: now[0])
    return now


@pytest.fixture
def campaign(database):
    move_in(database, [person(5)])
    return trigger(database, "spring", 10)


def of(database, campaign):
    with database.connect() as connection:
        return samples.of_campaign(connection, campaign.id)


def test_a_campaign_that_runs_has_a_sample_of_each_moment(database, campaign, clock):
    sampler = Sampler(database)
    change_shard(database, campaign, sent=3, rejected=1, last_id=4, accepted=1, delivered=2)

    sampler.sample()
    sampler.sample()  # of the same moment
    clock[0] += SAMPLE_EVERY_S + 3
    change_shard(database, campaign, sent=4, last_id=5, delivered=3)
    sampler.sample()

    assert of(database, campaign) == [
        Sample(campaign.id, NOON, 4, 3, 1, 2, moved_at_s=NOON),
        Sample(campaign.id, NOON + 10, 5, 4, 1, 3, moved_at_s=NOON + 10),
    ]


def test_while_nothing_happens_the_moment_of_the_last_step_is_kept_over_restarts_too(database, campaign, clock):
    for _ in range(3):
        Sampler(database).sample()
        clock[0] += SAMPLE_EVERY_S

    assert {each.moved_at_s for each in of(database, campaign)} == {NOON}


def test_a_pause_is_no_time_in_which_it_did_not_get_on(database, campaign, clock):
    Sampler(database).sample()
    clock[0] += 7_200

    Sampler(database).sample()

    assert [each.moved_at_s for each in of(database, campaign)] == [NOON, NOON + 7_200]


def test_one_that_does_not_run_has_none(database, campaign, clock):
    with writing(database) as connection:
        rows.change(connection, campaign.id, Verb.PAUSE)

    Sampler(database).sample()

    assert of(database, campaign) == []


def fill(database, campaign, from_s, to_s):
    with writing(database) as connection:
        every = [Sample(campaign.id, at_s, 0, 0, 0, 0, 0) for at_s in range(from_s, to_s, SAMPLE_EVERY_S)]
        samples.insert(connection, every)


def test_older_ones_are_thinned_out_and_the_last_hour_is_whole(database, campaign, clock):
    fill(database, campaign, NOON - 90_000, NOON)

    sampler = Sampler(database)
    for _ in range(2):
        sampler.sample()

    kept = [each.at_s for each in of(database, campaign)]
    assert kept == [
        *range(NOON - 90_000, NOON - 86_400, 600),
        *range(NOON - 86_400, NOON - 3_600, 60),
        *range(NOON - 3_600, NOON + 1, SAMPLE_EVERY_S),
    ]


@pytest.fixture
def deleted(database):
    """For how long each statement thins samples out, once the test fills nothing any more."""
    spans = []

    def look(connection, cursor, statement, values, *_):
        if statement.startswith("DELETE"):
            moments = [each for each in (values.values() if isinstance(values, dict) else values) if each > 1_000_000]
            spans.append((min(moments), max(moments)))

    sa.event.listen(database, "before_cursor_execute", look)
    return spans


def test_what_was_thinned_out_is_not_read_again(database, campaign, clock, deleted):
    sampler = Sampler(database)
    fill(database, campaign, NOON - 5_000, NOON)
    sampler.sample()
    deleted.clear()
    clock[0] += 60

    sampler.sample()
    sampler.sample()

    assert deleted == [(NOON - 3_600, NOON - 3_540)]


def test_one_transaction_thins_out_an_hour_at_most_however_much_there_is(database, campaign, clock, deleted):
    fill(database, campaign, NOON - 20_000, NOON - 10_000)
    fill(database, campaign, NOON - 1_000_000, NOON - 999_900)

    Sampler(database).sample()

    assert {end_s - from_s <= 3_600 for from_s, end_s in deleted} == {True}
    assert len(deleted) < 10, "where there is nothing, nothing is looked for"


def test_samples_go_when_the_details_of_their_campaign_do(database, campaign, clock, logs):
    from app.campaigns.prune import find

    Sampler(database).sample()
    with writing(database) as connection:
        rows.change(connection, campaign.id, Verb.CANCEL)
    ended = as_stored(database, campaign).finished_at
    soon = ended + timedelta(days=366)

    list(prune(database, logs, find(database, logs, soon), soon))

    assert of(database, campaign) == []


def test_a_course_that_is_known_is_read_on_and_anew_once_it_may_be_thinned_out(database, campaign, clock):
    now = [0.0]
    courses = Courses(clock=lambda: now[0])

    def seen():
        with database.connect() as connection:
            return [each.at_s for each in courses.of(connection, campaign.id)]

    assert seen() == []
    fill(database, campaign, NOON, NOON + 30)
    assert seen() == [NOON, NOON + 10, NOON + 20]
    with writing(database) as connection:
        samples.thin_out(connection, NOON, NOON + 30, 60)
    fill(database, campaign, NOON + 30, NOON + 40)
    assert seen() == [NOON, NOON + 10, NOON + 20, NOON + 30]
    now[0] += 60.0
    assert seen() == [NOON, NOON + 30]
