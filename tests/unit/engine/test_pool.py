"""engine/process/pool.py: which children to start, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.process.pool import LONGEST_DELAY_S, QUICK_DEATH_S, Failures, Spawn, after_death, plan


def died_at_start(times: int, at: float = 0.0) -> Failures | None:
    record = None
    for _ in range(times):
        record = after_death(record, was_ready=False, lived_s=0.1, now=at)
    return record


def test_every_empty_slot_gets_a_child_in_the_order_of_the_slots() -> None:
    assert plan(alive=[], slots=[2, 3, 0, 1], failures={}, now=0.0) == [Spawn(2), Spawn(3), Spawn(0), Spawn(1)]


def test_a_slot_that_lives_is_left_alone() -> None:
    assert plan(alive=[0, 2], slots=[0, 1, 2], failures={}, now=0.0) == [Spawn(1)]


def test_a_slot_that_failed_waits_until_its_delay_is_over() -> None:
    failures = {0: Failures(count=3, at=100.0)}

    assert plan([], [0, 1], failures, now=101.9) == [Spawn(1)]
    assert plan([], [0, 1], failures, now=102.0) == [Spawn(0), Spawn(1)]


def test_deaths_at_start_back_off_from_at_once_to_half_a_minute() -> None:
    delays = [record.delay_s for times in range(1, 10) if (record := died_at_start(times))]

    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@given(st.integers(1, 10**6))
def test_a_slot_may_fail_for_weeks_and_still_has_a_delay(count: int) -> None:
    assert 0.0 <= Failures(count, at=0.0).delay_s <= LONGEST_DELAY_S


@pytest.mark.parametrize(
    ("was_ready", "lived_s", "counts"),
    [
        (False, 0.0, True),
        (False, 100.0, True),
        (True, QUICK_DEATH_S / 2, True),
        (True, QUICK_DEATH_S, False),
        (True, 100.0, False),
    ],
)
def test_only_a_death_at_the_start_counts(was_ready: bool, lived_s: float, counts: bool) -> None:
    record = after_death(Failures(4, at=0.0), was_ready, lived_s, now=9.0)

    assert record == (Failures(5, at=9.0) if counts else None)
