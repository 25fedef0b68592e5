"""A trigger becomes a campaign, once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.campaigns.start import dispatch
from app.domain.campaign import State
from app.domain.greeting import DEFAULT_TEMPLATE, MAX_TEMPLATE_CHARACTERS
from app.errors import BadRequest
from app.store import customers, faults
from app.store.tables import campaigns, shards
from tests.integration.app.people import move_in, person
from tests.words import refused

WITHIN_S = 60.0


def count(database: Engine, table: sa.Table) -> int:
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def ranges(database: Engine) -> list[tuple[int, int]]:
    with database.connect() as connection:
        rows = connection.execute(sa.select(shards.c.after_id, shards.c.to_id).order_by(shards.c.number))
        return [tuple(row) for row in rows]


def test_a_trigger_makes_a_campaign_with_a_shard_for_each_range_in_which_somebody_lives(database):
    move_in(database, [person(1), person(20), person(25)])

    done = dispatch(database, "春节", 10)

    assert (done.created, done.shards) == (True, [0, 1, 2])
    assert (done.campaign.name, done.campaign.template) == ("春节", DEFAULT_TEMPLATE)
    assert (done.campaign.state, done.campaign.finished_at) == (State.RUNNING, None)
    assert ranges(database) == [(0, 10), (10, 20), (20, 25)]


def test_the_same_name_again_makes_nothing_and_gives_the_first(database):
    move_in(database, [person(1)])
    first = dispatch(database, "a", 10)
    move_in(database, [person(99)])

    second = dispatch(database, "a", 5)

    assert (second.created, second.campaign, second.shards) == (False, first.campaign, first.shards)
    assert count(database, campaigns) == count(database, shards) == 1


def test_an_empty_table_is_greeted_at_once(database):
    done = dispatch(database, "a", 10)

    assert (done.created, done.shards, done.campaign.state) == (True, [], State.FINISHED)
    assert done.campaign.finished_at == done.campaign.created_at


def test_the_same_name_with_another_template_is_refused_and_changes_nothing(database):
    first = dispatch(database, "a", 10, template="{name}好")

    with refused(BadRequest, match=r"^名称已用于另一条短信$", language="zh") as refusal:
        dispatch(database, "a", 10, template="{name}您好")

    assert refusal.value.code == "other_template"
    assert dispatch(database, "a", 10, template="{name}好").campaign == first.campaign


@pytest.mark.parametrize(
    ("name", "template"),
    [("../a", None), ("", None), *(("a", template) for template in ("", " ", "{town}", "好" * 2001))],
)
def test_what_is_refused_leaves_no_row(database, name, template):
    with pytest.raises(BadRequest):
        dispatch(database, name, 10, template=template)

    assert count(database, campaigns) == 0


def test_of_many_triggers_at_the_same_moment_one_makes_the_campaign(database, monkeypatch):
    monkeypatch.setattr(faults, "TRY_FOR_S", WITHIN_S)  # for who is undone by the others on a busy machine
    move_in(database, [person(5), person(15), person(25)])
    start = Barrier(6, timeout=WITHIN_S)

    def trigger(_: int) -> bool:
        start.wait()
        return dispatch(database, "a", 10).created

    with ThreadPoolExecutor(6) as threads:
        created = list(threads.map(trigger, range(6)))

    assert sorted(created) == [False] * 5 + [True]
    assert (count(database, campaigns), count(database, shards)) == (1, 3)


def test_names_are_told_apart_letter_by_letter(database):
    names = ["ete", "Ete", "été", "ETE", "ss", "ß", "か", "が", "𠮷", "吉", "a", "a.", "ａ"]

    assert all(dispatch(database, name, 10).created for name in names)
    assert not any(dispatch(database, name, 10).created for name in names)


def test_the_longest_name_and_template_are_kept_whole(database):
    name, template = "𠮷" * 63, "𠮷" * MAX_TEMPLATE_CHARACTERS

    campaign = dispatch(database, name, 10, template=template).campaign

    assert (campaign.name, campaign.template) == (name, template)


def test_ids_below_one_which_no_shard_can_have_are_counted_and_refused(sqlite):
    move_in(sqlite, [(-5, "张伟", 1, "13800000005"), (0, "张伟", 1, "13800000000"), person(1)])

    with refused(BadRequest, match=r"^有2个客户的编号小于1", language="zh") as refusal:
        dispatch(sqlite, "a", 10)

    assert refusal.value.code == "bad_ids"
    assert count(sqlite, campaigns) == 0


def test_more_shards_than_anybody_would_want_are_refused_with_the_setting_that_makes_them_fewer(database):
    move_in(database, [person(number) for number in range(1, 40_002, 10)])

    with refused(BadRequest, match=r"SMS_SHARD_SIZE$", language="zh") as refusal:
        dispatch(database, "a", 10)

    assert refusal.value.code == "too_many_shards"
    assert dispatch(database, "a", 11).created


def test_ranges_in_which_nobody_lives_are_left_out_and_numbers_keep_their_meaning(database):
    move_in(database, [person(1), person(10), person(11), person(95), person(2**32 - 1)])

    done = dispatch(database, "a", 10)

    last = (2**32 - 2) // 10
    assert done.shards == [0, 1, 9, last]
    assert ranges(database) == [(0, 10), (10, 20), (90, 100), (10 * last, 2**32 - 1)]


def test_the_index_is_looked_into_once_for_each_range_that_is_there(sqlite, monkeypatch):
    move_in(sqlite, [person(1), person(5), person(1001), person(50_000)])
    real, looks = customers.next_id, []

    def next_id(connection, audience, after_id):
        looks.append(after_id)
        return real(connection, audience, after_id)

    monkeypatch.setattr(customers, "next_id", next_id)

    dispatch(sqlite, "a", 10)

    assert looks == [0, 10, 1010]
