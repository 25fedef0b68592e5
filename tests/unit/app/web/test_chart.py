"""A campaign's course, drawn."""

import pytest

from app.web.chart import MOST_POINTS, TABLE_ROWS, chart_of, svg


def test_the_rate_is_what_was_sent_over_the_time_it_took():
    chart = chart_of([(0, 0), (10, 100), (30, 100), (40, 50)])

    assert [(each.from_s, each.to_s, each.per_s) for each in chart.steps] == [(0, 10, 10), (10, 30, 0), (30, 40, 0)]


@pytest.mark.parametrize("points", [[], [(0, 0)], [(5, 1), (5, 2)]])
def test_without_two_moments_there_is_nothing_to_draw(points):
    assert chart_of(points) is None


def test_a_long_course_has_few_points_and_loses_nothing():
    chart = chart_of([(10 * n, 7 * n * n) for n in range(5_000)])

    for steps, most in ((chart.steps, MOST_POINTS), (chart.rows, TABLE_ROWS)):
        assert len(steps) <= most
        assert sum(each.per_s * (each.to_s - each.from_s) for each in steps) == pytest.approx(7 * 4_999**2)


def test_the_drawing_has_no_style_of_its_own_and_is_not_read_aloud():
    drawing = svg(chart_of([(0, 0), (10, 100)]))

    assert "style=" not in drawing
    assert 'aria-hidden="true"' in drawing
