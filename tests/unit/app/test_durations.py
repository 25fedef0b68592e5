"""How long many things took."""

from app.domain.durations import Durations


def test_percentiles_are_of_all_that_were_noted():
    took = Durations()
    for ms in range(1, 1001):
        took.note(ms / 1000)

    assert took.count == 1000
    assert (took.percentile(0.5), took.percentile(0.95), took.percentile(1.0)) == (0.5, 0.95, 1.0)


def test_three_digits_are_kept_and_a_clock_that_is_behind_is_no_time():
    took = Durations()
    for seconds in (-5.0, 123.456, 123.444):
        took.note(seconds)

    assert (took.percentile(0.3), took.percentile(1.0)) == (0.0, 123.0)


def test_where_nothing_was_noted_there_is_no_percentile():
    assert Durations().percentile(0.5) is None
