"""How long things took: counted by bounds, and read again."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.delivery import Delivery
from app.domain.traffic import ANSWER_S, BEYOND, BOUNDS_S, RECEIPT_S, histogram, labelled, submissions, took

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> tuple[datetime, datetime]:
    return BEGAN, BEGAN + timedelta(seconds=seconds)


def test_a_time_is_counted_at_the_first_bound_that_is_not_below_it() -> None:
    found = took(ANSWER_S, {after(0.01): 1, after(0.011): 2, after(31): 3, after(-5): 1})

    assert dict(labelled(ANSWER_S, found)) == {"0.01": 2, "0.025": 2, "inf": 3, "sum_us": 10_000 + 22_000 + 93_000_000}


def test_what_has_no_beginning_or_no_end_took_no_time() -> None:
    assert took(ANSWER_S, {(None, BEGAN): 5, (BEGAN, None): 5}) == {}


def test_a_histogram_adds_up_to_each_bound_and_beyond() -> None:
    found = histogram(RECEIPT_S, took(RECEIPT_S, {after(4): 3, after(100_000): 1}))

    assert [bound for bound, _ in found.upto] == [*BOUNDS_S[RECEIPT_S], BEYOND]
    assert dict(found.upto)[2.0] == 0 and dict(found.upto)[5.0] == 3 and found.count == 4
    assert found.sum_s == 100_012


def test_bounds_of_another_release_count_at_the_next_larger_one() -> None:
    found = histogram(ANSWER_S, Counter({"answer_s:0.2": 7, "answer_s:99.0": 1}))

    assert dict(found.upto)[0.1] == 0 and dict(found.upto)[0.25] == 7 and found.count == 8


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.1), (0.25, 0.075), (0.75, 0.175), (1.0, 0.25)])
def test_a_quantile_lies_between_two_bounds_in_proportion(share: float, expected: float) -> None:
    found = histogram(ANSWER_S, Counter({"answer_s:0.1": 2, "answer_s:0.25": 2}))

    assert found.quantile(share) == pytest.approx(expected)


def test_there_is_no_quantile_of_nothing_and_none_beyond_the_last_bound() -> None:
    assert histogram(ANSWER_S, Counter()).quantile(0.95) is None
    assert histogram(ANSWER_S, Counter({"answer_s:inf": 2})).quantile(0.95) is None


def test_submissions_are_named_by_what_they_came_to() -> None:
    assert submissions({Delivery.ACCEPTED: 2, Delivery.RETRY: 0}) == {"submissions:accepted": 2}
