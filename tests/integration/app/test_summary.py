"""Campaigns by page: the same as their snapshots say, and no more is read than is shown."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.campaigns.snapshot import every_snapshot
from app.campaigns.summary import page
from app.domain.campaign import ShardState, State, Verb
from app.store import campaigns as rows
from app.store import shards, tables
from app.store.database import writing
from tests.integration.app.campaigns import change_shard, run, trigger
from tests.integration.app.people import move_in, person


def names(found):
    return [each.campaign.name for each in found.campaigns]


def seen(database, **asked):
    with database.connect() as connection:
        return page(connection, **asked)


def facts(shown):
    return (
        *(shown.tally, shown.sent, shown.done, shown.is_settled),
        *(pytest.approx(each) for each in (shown.messages_per_s, shown.left_s)),
    )


def test_a_summary_says_what_a_snapshot_says(database, logs):
    move_in(database, [person(5), person(15), person(25)])
    run(database, logs, "finished", 10)
    in_part = trigger(database, "in-part", 10)
    change_shard(
        database, in_part, sent=7, male=4, female=3, rejected=2, audience=12, last_id=5, owner="x", work_ms=1500,
        lease_until_ms=4_000_000_000_000, state=ShardState.OPEN,
    )  # fmt: skip
    ledger = trigger(database, "ledger", 100)
    change_shard(database, ledger, sent=9, accepted=4, delivered=3, in_doubt=2, audience=9)
    trigger(database, "uncounted", 10)

    shown = seen(database).campaigns

    assert [facts(each) for each in shown] == [facts(each) for each in every_snapshot(database)]
    assert [(each.sums.count, each.sums.finished) for each in shown] == [(3, 0), (1, 0), (3, 0), (3, 3)]


def test_a_campaign_without_shards_is_done(database):
    trigger(database, "nobody", 10)

    (nobody,) = seen(database).campaigns

    assert (nobody.done, nobody.tally.audience, nobody.sums.count) == (1.0, 0, 0)


def test_pages_lead_to_each_other_both_ways(database):
    for number in range(5):
        trigger(database, str(number), 10)

    first = seen(database, limit=2)
    second = seen(database, limit=2, before=first.older)
    third = seen(database, limit=2, before=second.older)
    back = seen(database, limit=2, after=third.newer)

    assert [names(each) for each in (first, second, third, back)] == [["4", "3"], ["2", "1"], ["0"], ["2", "1"]]
    assert (first.newer, third.older) == (None, None)
    assert seen(database, limit=2, after=second.newer).newer is None


def test_a_page_may_be_of_one_state(database):
    move_in(database, [person(5)])
    for number in range(4):
        campaign = trigger(database, str(number), 10)
        if number % 2:
            with writing(database) as connection:
                rows.change(connection, campaign.id, Verb.PAUSE)

    assert names(seen(database, state=State.PAUSED)) == ["3", "1"]
    assert names(seen(database, state=State.RUNNING, limit=1)) == ["2"]
    assert names(seen(database, state=State.FAILED)) == []
    with database.connect() as connection:
        assert rows.count_by_state(connection) == {State.RUNNING: 2, State.PAUSED: 2}


def test_of_very_many_shards_those_at_which_somebody_is_are_shown_first(database):
    move_in(database, [person(each * 10) for each in range(1, 9)])
    campaign = trigger(database, "wide", 10)
    with writing(database) as connection:
        for number, values in {2: {"state": ShardState.FINISHED}, 5: {"lease_until_ms": 4_000_000_000_000}}.items():
            of = (tables.shards.c.campaign_id == campaign.id) & (tables.shards.c.number == number)
            connection.execute(tables.shards.update().where(of).values(**values))

    with database.connect() as connection:
        shown = [[each.number for each in shards.busiest(connection, campaign.id, most)] for most in (1, 3, 7, 8)]

    assert shown == [[5], [0, 1, 5], [0, 1, 3, 4, 5, 6, 7], [*range(8)]]


def rows_read(connection):
    """By this session so far, from tables and indexes."""
    status = connection.execute(sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(row[1]) for row in status if row[0] != "Handler_read_rnd_next")


def test_a_page_reads_the_shards_of_its_own_campaigns_alone(mysql):
    """50 of 1,000 campaigns with 40 shards each: below 50 ms is below so many rows, on whatever machine."""
    with writing(mysql) as connection:
        row = {"template": "x", "reason": "", "created_at": datetime.now(UTC)}
        states = (State.FINISHED, State.RUNNING)
        every = [{**row, "name": str(number), "state": states[number % 2]} for number in range(1000)]
        connection.execute(tables.campaigns.insert(), every)
        connection.exec_driver_sql(
            "INSERT INTO shards (campaign_id, number, after_id, to_id, state, last_id, sent, male, female, unknown,"
            " log_bytes, work_ms, owner, lease_until_ms)"
            " WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39)"
            " SELECT id, i, i * 10, i * 10 + 10, 'open', i * 10, 0, 0, 0, 0, 0, 0, '', 0 FROM campaigns, n"
        )
        connection.exec_driver_sql("ANALYZE TABLE campaigns, shards")
    with mysql.connect() as connection:
        for asked in ({}, {"state": State.RUNNING}, {"before": 600}, {"after": 300, "state": State.FINISHED}):
            before = rows_read(connection)

            found = page(connection, limit=50, **asked)

            assert len(found.campaigns) == 50
            assert rows_read(connection) - before < 50 * (40 + 3) + 500, asked
