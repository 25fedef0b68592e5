"""Campaigns have their turn, and no more orders are out than are needed."""

from dataclasses import dataclass

import pytest

from app.runners.turns import Turns


@dataclass(frozen=True)
class Order:
    campaign_id: int
    number: int


def orders(campaign_id: int, count: int) -> list[Order]:
    return [Order(campaign_id, number) for number in range(count)]


def taken(turns: Turns[Order], out: list[Order]) -> list[Order]:
    """What goes out beside `out`, which it joins."""
    new = []
    while order := turns.take(out):
        out.append(order)
        new.append(order)
    return new


def test_twice_as_many_go_out_as_there_are_task_workers_the_first_ones_first():
    turns = Turns[Order](4)
    turns.renew(orders(1, 100), [])

    assert taken(turns, []) == orders(1, 8)


def test_each_campaign_has_as_many_out_as_the_others():
    turns = Turns[Order](4)
    turns.renew([*orders(1, 100), *orders(2, 2), *orders(3, 100)], [])

    assert [each.campaign_id for each in taken(turns, [])] == [1, 2, 3, 1, 2, 3, 1, 3]


def test_a_late_one_comes_first():
    turns, out = Turns[Order](2), []
    turns.renew(orders(1, 100), out)
    taken(turns, out)
    turns.renew([*orders(1, 100)[4:], *orders(2, 5)], out)

    del out[0]

    assert taken(turns, out) == [Order(2, 0)]


@pytest.mark.parametrize("task_workers", [1, 2, 3])
def test_nobody_starves_however_many_there_are(task_workers):
    turns, out, done = Turns[Order](task_workers), [], []
    turns.renew([each for campaign_id in range(1, 11) for each in orders(campaign_id, 10)], out)

    while len(done) < 50:
        taken(turns, out)
        done.append(out.pop(0))

    assert sorted(each.campaign_id for each in done) == [number for number in range(1, 11) for _ in range(5)]


def test_a_campaign_that_takes_whole_slices_has_none_in_reserve():
    turns, out = Turns[Order](2), []
    turns.renew(orders(1, 100), out)
    taken(turns, out)

    for each in [out.pop(0), out.pop(0)]:
        turns.put_back(each)

    assert taken(turns, out) == []
    out.pop(0)
    assert taken(turns, out) == [Order(1, 1)]


def test_others_have_the_reserve_that_a_slow_campaign_leaves():
    turns, out = Turns[Order](2), []
    turns.renew([*orders(1, 100), *orders(2, 1)], out)
    turns.put_back(Order(1, 100))

    assert [each.campaign_id for each in taken(turns, out)] == [1, 2]
    turns.renew([*orders(1, 100), *orders(3, 3)], out)
    assert [each.campaign_id for each in taken(turns, out)] == [3, 3]


def test_what_is_over_is_forgotten():
    turns = Turns[Order](2)
    turns.put_back(Order(1, 0))
    turns.take([])
    turns.renew([], [])

    assert vars(turns) == {**vars(Turns[Order](2)), "_count": 1}
