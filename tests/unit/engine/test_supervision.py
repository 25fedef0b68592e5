"""engine/process/supervision.py: which children to start, to promote and to send away, and when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.process.slot import LONGEST_DELAY_S, Child, Death, Failures, Slot
from engine.process.supervision import QUICK_DEATH_S, Kill, Promote, Retire, Spawn, after_death, next_look, plan

NEVER = float("inf")


def child(seat: int = 0, **facts: Any) -> Child:
    return Child(0, **({"seat": seat, "generation": 0, "pid": 1, "ready_fd": None, "started_at": 0.0} | facts))


def starting(seat: int = 0, generation: int = 0) -> Child:
    return child(seat, generation=generation)


def at_work(seat: int = 0, generation: int = 0) -> Child:
    return child(seat, generation=generation, is_ready=True, is_current=True)


def leaving(seat: int = 0, leave_by: float = NEVER) -> Child:
    return child(seat, is_ready=True, is_current=True, leave_by=leave_by)


def slot(number: int, *children: Child, home: int = 0, generation: int = 0, failures: Failures | None = None) -> Slot:
    made = Slot(number, home=home, generation=generation, failures=failures)
    for each in children:
        made.take(each)
    return made


def death(of: Child, **facts: Any) -> Death:
    return Death(of, **({"exit_code": 0, "killed_by": 0, "was_successor": False, "has_successor": False} | facts))


# ── a child for every slot ──────────────────────────────────────────────────────────────────────


def test_every_empty_slot_gets_a_child_in_the_order_of_the_slots() -> None:
    assert plan([slot(2), slot(3), slot(0)], now=0.0) == [Spawn(2, 0), Spawn(3, 0), Spawn(0, 0)]


def test_a_slot_that_is_served_or_starting_is_left_alone() -> None:
    assert plan([slot(0, at_work()), slot(1), slot(2, starting())], now=0.0) == [Spawn(1, 0)]


def test_a_child_is_replaced_in_the_seat_where_the_last_one_sat() -> None:
    assert plan([slot(0, home=1), slot(1, leaving(0), home=1)], now=0.0) == [Spawn(0, 1), Spawn(1, 1)]


def test_a_child_that_is_ready_is_promoted_once() -> None:
    assert plan([slot(0, child(is_ready=True)), slot(1, at_work())], now=0.0) == [Promote(0, 0)]


def test_a_slot_that_failed_waits_until_its_delay_is_over() -> None:
    failing = slot(0, failures=Failures(count=3, at=100.0))

    assert plan([failing, slot(1)], now=101.9) == [Spawn(1, 0)]
    assert plan([failing, slot(1)], now=102.0) == [Spawn(0, 0), Spawn(1, 0)]
    assert next_look([failing, slot(1)]) == 102.0


# ── a reload ────────────────────────────────────────────────────────────────────────────────────


def test_a_successor_starts_in_the_other_seat_one_at_a_time_in_the_order_of_the_slots() -> None:
    slots = [slot(2, at_work(1), home=1, generation=1), slot(0, at_work(), generation=1)]

    assert plan(slots, now=0.0) == [Spawn(2, 0)]

    slots[0].take(starting(0, generation=1))
    assert plan(slots, now=0.0) == []


def test_a_successor_that_is_ready_is_promoted_before_the_old_child_is_told_to_leave() -> None:
    successor = child(1, generation=1, is_ready=True)

    assert plan([slot(0, at_work(), successor, generation=1)], now=0.0) == [Promote(0, 1), Retire(0, 0)]


def test_the_next_slot_does_not_wait_until_the_old_child_is_gone() -> None:
    slots = [slot(0, leaving(0), at_work(1, generation=1), home=1, generation=1), slot(1, at_work(), generation=1)]

    assert plan(slots, now=0.0) == [Spawn(1, 1)]


def test_a_seat_that_is_not_free_yet_holds_up_its_own_slot_only() -> None:
    slots = [slot(0, leaving(0), at_work(1, generation=1), home=1, generation=2), slot(1, at_work(), generation=2)]

    assert plan(slots, now=0.0) == [Spawn(1, 1)]

    slots[0].vacate(0)
    assert plan(slots, now=0.0) == [Spawn(0, 0)]


def test_a_successor_that_cannot_start_holds_up_those_behind_it_until_it_may_try_again() -> None:
    slots = [slot(0, at_work(), generation=1, failures=Failures(3, at=100.0)), slot(1, at_work(), generation=1)]

    assert plan(slots, now=101.9) == []
    assert next_look(slots) == 102.0
    assert plan(slots, now=102.0) == [Spawn(0, 1)]


def test_a_child_that_was_started_after_the_reload_began_needs_no_successor() -> None:
    assert plan([slot(0, starting(generation=1), generation=1), slot(1, at_work(), generation=1)], 0.0) == [Spawn(1, 1)]


def test_an_old_child_that_dies_leaves_its_slot_to_the_successor_and_nothing_starts_in_its_seat() -> None:
    mine = slot(0, at_work(), starting(1, generation=1), generation=1)

    mine.vacate(0)

    assert plan([mine], now=0.0) == []
    assert mine.home == 1
    mine.vacate(1)
    assert plan([mine], now=0.0) == [Spawn(0, 1)]


def test_a_child_that_does_not_leave_in_time_is_killed() -> None:
    slots = [slot(0, leaving(0, leave_by=100.0), at_work(1), home=1), slot(1, leaving(0), at_work(1), home=1)]

    assert plan(slots, now=99.9) == []
    assert next_look(slots) == 100.0
    assert plan(slots, now=100.0) == [Kill(0, 0)]


def test_there_is_nothing_to_wait_for_when_all_are_served() -> None:
    slots = [slot(0, at_work(), failures=Failures(3, at=0.5)), slot(1, leaving(0), at_work(1), home=1)]

    assert next_look(slots) is None


# ── failures ────────────────────────────────────────────────────────────────────────────────────


def died_at_start(times: int) -> Failures:
    record = None
    for _ in range(times):
        record = after_death(record, death(starting(), exit_code=3), now=0.1)
    assert record
    return record


def test_deaths_at_start_back_off_from_at_once_to_half_a_minute() -> None:
    delays = [died_at_start(times).delay_s for times in range(1, 10)]

    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@given(st.integers(1, 10**6))
def test_a_slot_may_fail_for_weeks_and_still_has_a_delay(count: int) -> None:
    assert 0.0 <= Failures(count, at=0.0).delay_s <= LONGEST_DELAY_S


@pytest.mark.parametrize(
    ("of", "facts", "lived_s", "counts"),
    [
        (starting(), {"exit_code": 3}, 0.0, True),
        (starting(), {"exit_code": 3}, 100.0, True),
        (starting(), {}, 100.0, True),
        (at_work(), {"killed_by": 9}, QUICK_DEATH_S / 2, True),
        (at_work(), {"killed_by": 9}, QUICK_DEATH_S, False),
        (at_work(), {"exit_code": 1}, 100.0, False),
        (at_work(), {}, 0.0, False),
        (at_work(), {"killed_by": 9, "was_at_work": True}, 0.0, False),
        (starting(), {"killed_by": 9, "was_at_work": True}, 0.0, True),
        (child(is_ready=True), {"was_successor": True}, 100.0, True),
    ],
    ids=[
        "failed at once",
        "failed late",
        "left before it was ready",
        "died quickly",
        "died",
        "died after long",
        "left in good order, quickly",
        "died quickly of its task",
        "failed at once over what another left it",
        "a successor that did not stay",
    ],
)
def test_a_death_at_the_start_counts_and_leaving_in_good_order_does_not(
    of: Child, facts: dict[str, Any], lived_s: float, counts: bool
) -> None:
    record = after_death(Failures(4, at=0.0), death(of, **facts), now=lived_s)

    assert record == (Failures(5, at=lived_s) if counts else None)


@pytest.mark.parametrize("before", [None, Failures(4, at=0.0)])
def test_a_child_that_was_told_to_leave_says_nothing_about_its_slot(before: Failures | None) -> None:
    assert after_death(before, death(leaving(), killed_by=9), now=50.0) == before


# ── a slot that never has two children ──────────────────────────────────────────────────────────


def exclusive(*children: Child, generation: int = 0) -> Slot:
    made = slot(0, *children, generation=generation)
    made.is_exclusive = True
    return made


def test_an_exclusive_child_of_an_old_generation_is_sent_away_before_another_starts() -> None:
    assert plan([exclusive(at_work(), generation=1)], now=0.0) == [Retire(0, 0)]


def test_an_exclusive_slot_gets_its_next_child_once_the_old_one_is_gone() -> None:
    assert plan([exclusive(leaving(), generation=1)], now=0.0) == []
    assert plan([exclusive(generation=1)], now=0.0) == [Spawn(0, 0)]


def test_an_exclusive_child_that_is_starting_is_replaced_only_once_it_is_ready() -> None:
    assert plan([exclusive(starting(), generation=1)], now=0.0) == []


def test_an_exclusive_slot_holds_up_no_other_one() -> None:
    other = slot(1, at_work(), generation=1)
    other.number = 1

    assert plan([exclusive(at_work(), generation=1), other], now=0.0) == [Retire(0, 0), Spawn(1, 1)]


def test_an_exclusive_child_that_leaves_by_itself_at_once_is_a_failure_and_one_that_lived_is_none() -> None:
    left = death(at_work())

    assert after_death(None, left, QUICK_DEATH_S / 2, is_exclusive=True) == Failures(1, QUICK_DEATH_S / 2)
    assert after_death(None, left, QUICK_DEATH_S, is_exclusive=True) is None
    assert after_death(None, left, QUICK_DEATH_S / 2) is None
