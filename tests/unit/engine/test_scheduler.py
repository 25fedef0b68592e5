"""engine/worker/scheduler.py: who gets the next task. Pure, so every case is a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.worker.scheduler import MOST_UNDER_WAY, QUICK_NS, WORTH_WAKING_NS, Assignment, Load, Scheduler, credit

IDLE_NEW = Load(is_idle=True, busy_ns=0, mean_ns=0)
IDLE_QUICK = Load(is_idle=True, busy_ns=0, mean_ns=1000)
IDLE_LONG = Load(is_idle=True, busy_ns=0, mean_ns=10**9)
BUSY_NEW = Load(is_idle=False, busy_ns=10, mean_ns=0)
BUSY_QUICK = Load(is_idle=False, busy_ns=10, mean_ns=1000)
IDLE_100_US = Load(is_idle=True, busy_ns=0, mean_ns=100_000)
BUSY_100_US = Load(is_idle=False, busy_ns=10, mean_ns=100_000)
BUSY_LONG = Load(is_idle=False, busy_ns=10**9, mean_ns=10**9)
QUICK_IN_A_LONG_ONE = Load(is_idle=False, busy_ns=10**9, mean_ns=1000)

loads = st.builds(
    Load,
    is_idle=st.booleans(),
    busy_ns=st.sampled_from([0, 10, QUICK_NS, QUICK_NS + 1, 10**10]),
    mean_ns=st.sampled_from([0, 1, 1000, QUICK_NS - 1, QUICK_NS, 10**10]),
)


def submitted(count: int, task_workers: int, target: int = -1) -> Scheduler:
    scheduler = Scheduler(task_workers)
    for number in range(count):
        scheduler.submit(number, target)
    return scheduler


def given_out(scheduler: Scheduler, loads: list[Load]) -> dict[int, list[int]]:
    return {assignment.number: assignment.ids for assignment in scheduler.assign(loads)}


# ── room ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("load", "under_way", "expected"),
    [
        pytest.param(IDLE_NEW, 0, 1, id="an idle one that is not known yet gets one"),
        pytest.param(IDLE_LONG, 0, 1, id="an idle one of long tasks gets one"),
        pytest.param(IDLE_LONG, 1, 1, id="also when another does what it was to have"),
        pytest.param(BUSY_NEW, 0, 0, id="a busy one that is not known yet gets none"),
        pytest.param(BUSY_LONG, 0, 0, id="a busy one of long tasks gets none"),
        pytest.param(QUICK_IN_A_LONG_ONE, 0, 0, id="a quick one that is in a long task gets none"),
        pytest.param(BUSY_QUICK, 0, MOST_UNDER_WAY, id="a quick one gets many, even while busy"),
        pytest.param(IDLE_QUICK, 60, 4, id="less what it has already"),
        pytest.param(BUSY_QUICK, MOST_UNDER_WAY, 0, id="and never more than the most"),
        pytest.param(IDLE_QUICK, MOST_UNDER_WAY, 1, id="unless it waits, which it does not do while it has something"),
        pytest.param(Load(False, 10**9, 10**9, 3), 13, 3, id="one of coroutines gets as many as it says, though busy"),
        pytest.param(Load(True, 0, 1000, 0), 0, 0, id="and none when it says so"),
        pytest.param(Load(True, 0, QUICK_NS // 10), 0, 10, id="as many as keep it busy for QUICK_NS"),
    ],
)  # fmt: skip
def test_room(load: Load, under_way: int, expected: int) -> None:
    assert credit(load, under_way) == expected


@given(loads, st.integers(0, 2 * MOST_UNDER_WAY))
def test_room_is_never_negative_nor_above_the_most(load: Load, under_way: int) -> None:
    assert 0 <= credit(load, under_way) <= MOST_UNDER_WAY


@given(loads, st.integers(0, 5))
def test_nobody_waits_behind_a_task_that_is_known_to_be_long(load: Load, under_way: int) -> None:
    is_in_a_long_one = not load.is_idle and load.busy_ns > QUICK_NS

    assert not (is_in_a_long_one and credit(load, under_way))


# ── assign ──────────────────────────────────────────────────────────────────────────────────────


def test_four_tasks_go_to_four_idle_workers() -> None:
    assert given_out(submitted(4, 4), [IDLE_NEW] * 4) == {0: [0], 1: [1], 2: [2], 3: [3]}


def test_a_task_goes_to_the_idle_one_and_not_behind_a_busy_one() -> None:
    assert given_out(submitted(1, 3), [BUSY_100_US, BUSY_LONG, IDLE_100_US]) == {2: [0]}


def test_with_everyone_in_a_long_task_nothing_is_given_out() -> None:
    scheduler = submitted(5, 2)

    assert given_out(scheduler, [BUSY_LONG, BUSY_LONG]) == {}
    assert scheduler.has_waiting
    assert len(scheduler) == 5


def test_quick_tasks_travel_many_at_a_time_in_fair_shares() -> None:
    got = given_out(submitted(40, 4), [IDLE_100_US] * 4)

    assert {number: len(ids) for number, ids in got.items()} == {0: 10, 1: 10, 2: 10, 3: 10}


@pytest.mark.parametrize(
    ("count", "mean_us", "expected"),
    [
        pytest.param(64, 1, 1, id="64 of a microsecond: one is awake, and the others sleep"),
        pytest.param(10, 20, 2, id="work for two"),
        pytest.param(64, 20, 4, id="work for all"),
        pytest.param(2, 99, 1, id="less than a wake-up costs"),
        pytest.param(2, 100, 2, id="as much as a wake-up costs, each"),
        pytest.param(3, 500, 3, id="one each"),
        pytest.param(2, 0, 2, id="nothing is known: as if they were long"),
    ],
)
def test_no_more_are_woken_than_there_is_work_worth_waking_them_for(count: int, mean_us: int, expected: int) -> None:
    got = given_out(submitted(count, 4), [Load(True, 0, mean_us * 1000)] * 4)

    assert len(got) == expected
    assert sum(map(len, got.values())) == count


def test_what_comes_later_goes_to_those_that_are_awake_already() -> None:
    scheduler = Scheduler(4, first=2)
    used = set()
    for number in range(50):
        scheduler.submit(number, -1)
        (assignment,) = scheduler.assign([IDLE_QUICK] * 4)
        used.add(assignment.number)

    assert used == {2}


def test_one_that_was_held_up_for_a_moment_wakes_nobody() -> None:
    """Its mean, of a task with cold caches, is what it was at its last task."""
    got = given_out(submitted(64, 4), [IDLE_QUICK, Load(True, 0, 300_000), IDLE_QUICK, Load(True, 0, 50_000)])

    assert list(got) == [0]


def test_quick_tasks_wait_for_company_while_the_one_they_are_for_has_enough_to_do() -> None:
    scheduler = submitted(10, 1)
    scheduler.assign([IDLE_QUICK])
    for number in range(10, 19):
        scheduler.submit(number, -1)
        assert scheduler.assign([BUSY_QUICK]) == []

    scheduler.submit(19, -1)

    assert scheduler.assign([BUSY_QUICK]) == [Assignment(0, False, list(range(10, 20)))]


@pytest.mark.parametrize(
    ("load", "is_late"), [(IDLE_QUICK, False), (BUSY_QUICK, True), (Load(False, 10, WORTH_WAKING_NS), False)]
)
def test_but_not_when_it_is_idle_nor_for_long_nor_when_they_are_not_so_quick(load: Load, is_late: bool) -> None:
    scheduler = submitted(5, 1)
    scheduler.assign([IDLE_QUICK])
    scheduler.submit(5, -1)

    assert scheduler.assign([load], is_late=is_late) == [Assignment(0, False, [5])]


def test_each_worker_gets_its_tasks_in_the_order_they_were_submitted() -> None:
    got = given_out(submitted(200, 2), [IDLE_QUICK] * 2)

    assert all(ids == sorted(ids) for ids in got.values())
    assert sorted(each for ids in got.values() for each in ids) == list(range(2 * MOST_UNDER_WAY))


def test_single_tasks_go_round_in_turn() -> None:
    scheduler = Scheduler(3)
    order = []

    for number in range(6):
        scheduler.submit(number, -1)
        (assignment,) = scheduler.assign([IDLE_LONG] * 3)
        order.append(assignment.number)
        scheduler.answered(number)

    assert order == [0, 1, 2, 0, 1, 2]


def test_a_named_task_goes_to_the_one_it_names() -> None:
    assert given_out(submitted(3, 3, target=1), [IDLE_NEW, BUSY_QUICK, IDLE_NEW]) == {1: [0, 1, 2]}


def test_a_named_task_waits_while_the_one_it_names_is_in_a_long_task() -> None:
    scheduler = submitted(3, 3, target=1)

    assert given_out(scheduler, [IDLE_NEW, BUSY_LONG, IDLE_NEW]) == {}
    assert given_out(scheduler, [IDLE_NEW, IDLE_LONG, IDLE_NEW]) == {1: [0]}


def test_named_tasks_beyond_the_most_wait_their_turn() -> None:
    scheduler = submitted(MOST_UNDER_WAY + 2, 2, target=1)

    assert len(given_out(scheduler, [BUSY_QUICK] * 2)[1]) == MOST_UNDER_WAY
    assert scheduler.has_waiting
    scheduler.answered(0)
    assert given_out(scheduler, [BUSY_QUICK] * 2) == {1: [MOST_UNDER_WAY]}


def test_a_named_task_takes_the_room_of_its_worker() -> None:
    scheduler = submitted(1, 2, target=0)
    scheduler.submit(9, -1)

    assert given_out(scheduler, [IDLE_NEW] * 2) == {0: [0], 1: [9]}


def test_an_answer_strikes_the_task_off_and_makes_room() -> None:
    scheduler = Scheduler(1)
    scheduler.submit(7, -1)
    scheduler.assign([IDLE_NEW])
    assert (scheduler.counts, scheduler.under_way, scheduler.is_under_way(7)) == ([1], 1, True)

    assert scheduler.answered(7)

    assert (scheduler.counts, scheduler.under_way, len(scheduler)) == ([0], 0, 0)


def test_an_answer_to_what_is_not_under_way_changes_nothing() -> None:
    scheduler = submitted(1, 1)

    assert not scheduler.answered(0)

    assert (scheduler.counts, len(scheduler), scheduler.has_waiting) == ([0], 1, True)


def test_an_answer_that_comes_twice_counts_once() -> None:
    scheduler = submitted(1, 1)
    scheduler.assign([IDLE_NEW])
    scheduler.answered(0)

    assert not scheduler.answered(0)
    assert scheduler.counts == [0]


@given(st.data())
def test_no_task_is_lost_doubled_or_overtaken(data: st.DataObject) -> None:
    task_workers = data.draw(st.integers(1, 4))
    scheduler = Scheduler(task_workers)
    targets: dict[int, int] = {}
    seen: list[int] = []
    under_way: list[int] = []
    for _ in range(data.draw(st.integers(1, 15))):
        for _ in range(data.draw(st.integers(0, 20))):
            target = data.draw(st.integers(-1, task_workers - 1))
            scheduler.submit(len(targets), target)
            targets[len(targets)] = target
        for assignment in scheduler.assign([data.draw(loads) for _ in range(task_workers)]):
            assert {targets[each] for each in assignment.ids} == ({assignment.number} if assignment.is_named else {-1})
            seen += assignment.ids
            under_way += assignment.ids
        while under_way and data.draw(st.booleans()):
            assert scheduler.answered(under_way.pop(0))

    while scheduler:
        for each in under_way:
            scheduler.answered(each)
        under_way = [each for assignment in scheduler.assign([IDLE_NEW] * task_workers) for each in assignment.ids]
        seen += under_way

    assert sorted(seen) == list(targets)
    for target in range(-1, task_workers):
        mine = [each for each in seen if targets[each] == target]
        assert target == -1 or mine == sorted(mine)


def test_a_gift_says_whether_it_is_for_one_alone() -> None:
    scheduler = Scheduler(1)
    scheduler.submit(0, 0)
    scheduler.submit(1, -1)

    assert scheduler.assign([IDLE_QUICK]) == [Assignment(0, True, [0]), Assignment(0, False, [1])]
