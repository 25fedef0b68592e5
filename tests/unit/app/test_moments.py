"""Moments in the zone of those who read."""

from zoneinfo import ZoneInfo

from app.domain.moments import in_zone


def test_a_moment_is_shown_as_the_clock_of_the_zone_had_it_and_what_is_none_as_it_is():
    moments = [
        "2024-07-01 23:30:00",
        "2024-01-01 23:30:00",
        "2024-01-01 23:30:00.250000",
        "",
        "0000-00-00 00:00:00",
        "x",
    ]

    assert in_zone(moments, ZoneInfo("Europe/Vienna")) == [
        "2024-07-02 01:30:00",
        "2024-01-02 00:30:00",
        "2024-01-02 00:30:00.250000",
        "",
        "0000-00-00 00:00:00",
        "x",
    ]
