"""How fast a campaign goes, and how long it will take."""

import pytest

from app.domain.pace import Pace


def test_one_count_tells_nothing():
    pace = Pace()
    pace.note(0.0, 100, 100)

    assert (pace.messages_per_s, pace.left_s(5)) == (0.0, None)


def test_messages_count_for_the_rate_and_ids_for_the_time_that_is_left():
    pace = Pace()
    pace.note(0.0, 0, 0)
    pace.note(2.0, 100, 200)

    assert pace.messages_per_s == 50.0
    assert pace.left_s(1000) == 10.0


def test_what_was_longer_ago_than_the_window_does_not_count():
    pace = Pace(window_s=10.0)
    for second in range(0, 21):
        pace.note(float(second), min(second, 10) * 100, second)

    assert pace.messages_per_s == 0.0


def test_a_change_after_a_long_silence_is_told_from_the_last_count_before_it():
    pace = Pace(window_s=10.0)
    pace.note(0.0, 0, 0)
    pace.note(100.0, 1000, 1000)

    assert pace.messages_per_s == pytest.approx(10.0)


def test_two_counts_at_one_moment_tell_nothing():
    pace = Pace()
    pace.note(1.0, 0, 0)
    pace.note(1.0, 10, 10)

    assert (pace.messages_per_s, pace.left_s(5)) == (0.0, None)


def test_after_a_pause_nothing_is_remembered():
    pace = Pace()
    pace.note(0.0, 0, 0)
    pace.note(1.0, 10, 10)
    pace.forget()

    assert pace.messages_per_s == 0.0
