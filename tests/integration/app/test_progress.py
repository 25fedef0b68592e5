"""How far campaigns got, as the database knows it."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.campaigns import snapshot as progress
from app.campaigns.snapshot import every_snapshot, snapshot
from app.domain.campaign import ShardState, Verb
from app.errors import UnknownCampaign
from app.store import campaigns, shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import move_in, person


def test_an_unknown_campaign_is_an_error(sqlite):
    with pytest.raises(UnknownCampaign):
        snapshot(sqlite, "a")


@pytest.mark.parametrize(("asked", "meant"), [("sprnig", "spring"), ("summer", None)])
def test_of_the_newest_campaigns_the_one_that_may_be_meant_is_named(database, monkeypatch, asked, meant):
    monkeypatch.setattr(campaigns, "MOST_MEANT", 2)
    for name in ("summer-1", "spring", "may"):
        trigger(database, name, 10)

    with pytest.raises(UnknownCampaign) as caught:
        snapshot(database, asked)

    assert caught.value.sentence.facts.get("meant") == meant


def test_campaigns_come_newest_first(sqlite):
    for name in ("a", "b", "c"):
        trigger(sqlite, name, 10)

    assert [each.campaign.name for each in every_snapshot(sqlite)] == ["c", "b", "a"]


def test_every_campaign_has_its_own_shards_and_is_read_with_a_few_statements(database, monkeypatch):
    monkeypatch.setattr(progress, "CAMPAIGNS_AT_ONCE", 4)
    move_in(database, [person(5), person(15), person(25)])
    for number in range(9):
        trigger(database, str(number), 10 if number % 2 else 100)
    statements = []
    sa.event.listen(database, "before_cursor_execute", lambda *facts: statements.append(facts[2]))

    every = every_snapshot(database)

    assert [(each.campaign.name, len(each.shards)) for each in every] == [
        (str(number), 3 if number % 2 else 1) for number in range(8, -1, -1)
    ]
    assert all(shard.campaign_id == each.campaign.id for each in every for shard in each.shards)
    assert len([each for each in statements if each.startswith("SELECT shards")]) == 3


def test_what_is_open_is_found_without_reading_what_is_over(database):
    move_in(database, [person(2000)])
    trigger(database, "over", 2000)
    with writing(database) as connection:
        shard = connection.execute(sa.select(tables.shards)).one()._asdict()
        finished = [{**shard, "number": number, "state": ShardState.FINISHED} for number in range(1, 2001)]
        connection.execute(sa.insert(tables.shards), finished)
    trigger(database, "open", 2000)

    with database.connect() as connection:
        if database.dialect.name != "sqlite":
            connection.execute(sa.text("ANALYZE TABLE shards, campaigns")).all()
        for find in (lambda: shards.waiting(connection, "here"), lambda: shards.uncounted(connection)):
            before = rows_read(connection)
            found = find()

            assert len(found) == 2
            assert rows_read(connection) - before < 100


def rows_read(connection: sa.Connection) -> int:
    """By the server so far; SQLite does not count."""
    if connection.dialect.name == "sqlite":
        return 0
    rows = connection.execute(sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()
    return sum(int(count) for _, count in rows)


def test_the_time_that_a_campaign_was_halted_does_not_slow_its_rate(database):
    move_in(database, [person(20)])
    campaign = trigger(database, "a", 100)
    change_shard(database, campaign, sent=1000, last_id=20, state=ShardState.FINISHED)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)

    def change(verb: Verb, **values: object) -> None:
        with writing(database) as connection:
            assert campaigns.change(connection, campaign.id, verb)
            if values:
                connection.execute(sa.update(tables.campaigns).values(**values))

    for verb in (Verb.PAUSE, Verb.FAIL):
        half_an_hour_ago = time.time_ns() // 1_000_000 - 1_790_000
        change(verb, halted_since_ms=half_an_hour_ago)
        change(Verb.RESUME)
    change(Verb.FINISH, created_at=hour_ago)

    assert 15 < snapshot(database, "a").campaign.ran_s < 25
    assert 40 < snapshot(database, "a").messages_per_s < 67


def test_a_campaign_that_is_cancelled_in_a_pause_ran_until_the_pause(database):
    move_in(database, [person(20)])
    campaign = trigger(database, "a", 100)
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, Verb.PAUSE)
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        halted_since_ms = int(an_hour_ago.timestamp() * 1000)
        connection.execute(
            sa.update(tables.campaigns).values(
                halted_since_ms=halted_since_ms, created_at=an_hour_ago - timedelta(seconds=10)
            )
        )
        campaigns.change(connection, campaign.id, Verb.CANCEL)

    assert 9 < snapshot(database, "a").campaign.ran_s < 12


def test_a_campaign_without_customers_is_done(sqlite):
    trigger(sqlite, "a", 10)

    assert (snapshot(sqlite, "a").done, snapshot(sqlite, "a").tally.sent) == (1.0, 0)
