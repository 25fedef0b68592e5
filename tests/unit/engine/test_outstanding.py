"""engine/worker/outstanding.py: who gets the next task. Pure, so every case is a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ipc.message import STAY, Kind, Message
from engine.worker.outstanding import MOST_UNDER_WAY, QUICK_NS, Load, Outstanding, room

IDLE_NEW = Load(is_idle=True, busy_ns=0, mean_ns=0, from_others=0)
IDLE_QUICK = Load(is_idle=True, busy_ns=0, mean_ns=1000, from_others=0)
IDLE_LONG = Load(is_idle=True, busy_ns=0, mean_ns=10**9, from_others=0)
BUSY_NEW = Load(is_idle=False, busy_ns=10, mean_ns=0, from_others=0)
BUSY_QUICK = Load(is_idle=False, busy_ns=10, mean_ns=1000, from_others=0)
BUSY_LONG = Load(is_idle=False, busy_ns=10**9, mean_ns=10**9, from_others=0)
QUICK_IN_A_LONG_ONE = Load(is_idle=False, busy_ns=10**9, mean_ns=1000, from_others=0)

loads = st.builds(
    Load,
    is_idle=st.booleans(),
    busy_ns=st.sampled_from([0, 10, QUICK_NS, QUICK_NS + 1, 10**10]),
    mean_ns=st.sampled_from([0, 1, 1000, QUICK_NS - 1, QUICK_NS, 10**10]),
    from_others=st.integers(0, 3),
)


def task(number: int) -> Message:
    return Message(1, 0, 0, number, b"")


def submitted(count: int, task_workers: int, target: int = -1) -> Outstanding:
    outstanding = Outstanding(task_workers)
    for number in range(count):
        outstanding.submit(task(number), target, None)
    return outstanding


def given_out(outstanding: Outstanding, loads: list[Load]) -> dict[int, list[int]]:
    return {number: [each.id for each in messages] for number, messages in outstanding.assign(loads)}


# ── room ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("load", "under_way", "expected"),
    [
        pytest.param(IDLE_NEW, 0, 1, id="an idle one that is not known yet gets one"),
        pytest.param(IDLE_NEW, 1, 0, id="and no second before the first is answered"),
        pytest.param(IDLE_LONG, 0, 1, id="an idle one of long tasks gets one"),
        pytest.param(IDLE_LONG, 1, 0, id="and no second"),
        pytest.param(Load(True, 0, 10**9, 1), 0, 0, id="nor one while another event worker has one there"),
        pytest.param(BUSY_NEW, 0, 0, id="a busy one that is not known yet gets none"),
        pytest.param(BUSY_LONG, 0, 0, id="a busy one of long tasks gets none"),
        pytest.param(QUICK_IN_A_LONG_ONE, 0, 0, id="a quick one that is in a long task gets none"),
        pytest.param(BUSY_QUICK, 0, MOST_UNDER_WAY, id="a quick one gets many, even while busy"),
        pytest.param(IDLE_QUICK, 60, 4, id="less what it has already"),
        pytest.param(IDLE_QUICK, MOST_UNDER_WAY, 0, id="and never more than the most"),
        pytest.param(Load(True, 0, QUICK_NS // 10, 0), 0, 10, id="as many as keep it busy for QUICK_NS"),
    ],
)  # fmt: skip
def test_room(load: Load, under_way: int, expected: int) -> None:
    assert room(load, under_way) == expected


@given(loads, st.integers(0, 2 * MOST_UNDER_WAY))
def test_room_is_never_negative_nor_above_the_most(load: Load, under_way: int) -> None:
    assert 0 <= room(load, under_way) <= MOST_UNDER_WAY


@given(loads, st.integers(0, 5))
def test_nobody_waits_behind_a_task_that_is_known_to_be_long(load: Load, under_way: int) -> None:
    is_in_a_long_one = not load.is_idle and load.busy_ns > QUICK_NS

    assert not (is_in_a_long_one and room(load, under_way))


# ── assign ──────────────────────────────────────────────────────────────────────────────────────


def test_four_tasks_go_to_four_idle_workers() -> None:
    assert given_out(submitted(4, 4), [IDLE_NEW] * 4) == {0: [0], 1: [1], 2: [2], 3: [3]}


def test_a_task_goes_to_the_idle_one_and_not_behind_a_busy_one() -> None:
    assert given_out(submitted(1, 3), [BUSY_QUICK, BUSY_LONG, IDLE_QUICK]) == {2: [0]}


def test_with_everyone_in_a_long_task_nothing_is_given_out() -> None:
    outstanding = submitted(5, 2)

    assert given_out(outstanding, [BUSY_LONG, BUSY_LONG]) == {}
    assert outstanding.has_waiting
    assert len(outstanding) == 5


def test_quick_tasks_travel_many_at_a_time_in_fair_shares() -> None:
    got = given_out(submitted(40, 4), [IDLE_QUICK] * 4)

    assert {number: len(ids) for number, ids in got.items()} == {0: 10, 1: 10, 2: 10, 3: 10}


def test_each_worker_gets_its_tasks_in_the_order_they_were_submitted() -> None:
    got = given_out(submitted(200, 2), [IDLE_QUICK] * 2)

    assert all(ids == sorted(ids) for ids in got.values())
    assert sorted(each for ids in got.values() for each in ids) == list(range(2 * MOST_UNDER_WAY))


def test_single_tasks_go_round_in_turn() -> None:
    outstanding = Outstanding(3)
    order = []

    for number in range(6):
        outstanding.submit(task(number), -1, None)
        ((to, _),) = outstanding.assign([IDLE_LONG] * 3)
        order.append(to)
        outstanding.answered(number)

    assert order == [0, 1, 2, 0, 1, 2]


def test_a_named_task_goes_to_the_one_it_names_even_when_that_is_busy() -> None:
    assert given_out(submitted(3, 3, target=1), [IDLE_NEW, BUSY_LONG, IDLE_NEW]) == {1: [0, 1, 2]}


def test_named_tasks_beyond_the_most_wait_their_turn() -> None:
    outstanding = submitted(MOST_UNDER_WAY + 2, 2, target=1)

    assert len(given_out(outstanding, [IDLE_NEW] * 2)[1]) == MOST_UNDER_WAY
    assert outstanding.has_waiting
    outstanding.answered(0)
    assert given_out(outstanding, [IDLE_NEW] * 2) == {1: [MOST_UNDER_WAY]}


def test_a_named_task_takes_the_room_of_its_worker() -> None:
    outstanding = submitted(1, 2, target=0)
    outstanding.submit(task(9), -1, None)

    assert given_out(outstanding, [IDLE_NEW] * 2) == {0: [0], 1: [9]}


def test_an_answer_gives_back_the_entry_and_makes_room() -> None:
    outstanding = Outstanding(1)
    callback = object()
    outstanding.submit(task(7), -1, callback)  # type: ignore[arg-type]
    outstanding.assign([IDLE_NEW])

    entry = outstanding.answered(7)

    assert entry is not None
    assert (entry.callback, entry.task_worker, outstanding.counts, len(outstanding)) == (callback, 0, [0], 0)


def test_an_answer_that_comes_twice_counts_once() -> None:
    outstanding = submitted(1, 1)
    outstanding.assign([IDLE_NEW])
    outstanding.answered(0)

    assert outstanding.answered(0) is None
    assert outstanding.counts == [0]


@given(st.data())
def test_no_task_is_lost_doubled_or_overtaken(data: st.DataObject) -> None:
    task_workers = data.draw(st.integers(1, 4))
    outstanding = Outstanding(task_workers)
    targets: dict[int, int] = {}
    seen: list[int] = []
    under_way: list[int] = []
    for _ in range(data.draw(st.integers(1, 15))):
        for _ in range(data.draw(st.integers(0, 20))):
            target = data.draw(st.integers(-1, task_workers - 1))
            outstanding.submit(task(len(targets)), target, None)
            targets[len(targets)] = target
        for to, messages in outstanding.assign([data.draw(loads) for _ in range(task_workers)]):
            assert all(targets[each.id] in (-1, to) for each in messages)
            seen += [each.id for each in messages]
            under_way += [each.id for each in messages]
        while under_way and data.draw(st.booleans()):
            assert outstanding.answered(under_way.pop(0))

    while outstanding:
        for each in under_way:
            outstanding.answered(each)
        under_way = [each.id for _, messages in outstanding.assign([IDLE_NEW] * task_workers) for each in messages]
        seen += under_way

    assert sorted(seen) == list(targets)
    for target in range(-1, task_workers):
        mine = [each for each in seen if targets[each] == target]
        assert target == -1 or mine == sorted(mine)


def test_a_task_that_comes_back_is_the_next_to_be_sent_to_whoever_has_room() -> None:
    outstanding = Outstanding(2)
    first, second, third = (Message(Kind.TASK, 0, 0, number, b"") for number in range(3))
    outstanding.submit(first, -1)
    outstanding.submit(second, -1)
    quick = Load(is_idle=True, busy_ns=0, mean_ns=1000, from_others=0)
    away = Load(is_idle=False, busy_ns=10**9, mean_ns=1000, from_others=0)
    assert outstanding.assign([quick, away]) == [(0, [first, second])]
    outstanding.submit(third, -1)

    outstanding.returned(second)

    assert outstanding.counts == [1, 0]
    assert outstanding.assign([away, quick]) == [(1, [second, third])]


def test_a_task_for_a_named_target_says_so_on_its_way() -> None:
    outstanding = Outstanding(1)

    outstanding.submit(Message(Kind.TASK, 0, 0, 0, b""), 0)

    ((_, (message,)),) = outstanding.assign([Load(is_idle=True, busy_ns=0, mean_ns=0, from_others=0)])
    assert message.codec == STAY
