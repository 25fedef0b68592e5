"""Tallies add up, whatever they come to count."""

from dataclasses import astuple, fields

import pytest

from app.domain.page import by_form
from app.domain.tally import Tally

NAMES = [each.name for each in fields(Tally)]


@pytest.mark.parametrize("name", NAMES)
def test_each_count_of_a_sum_is_the_sum_of_that_count(name):
    one, other = Tally(**{name: 3}), Tally(**{name: 4})

    assert one + other == Tally(**{name: 7})


def test_nothing_added_changes_nothing():
    tally = Tally(*range(1, len(NAMES) + 1))

    assert tally + Tally() == tally == Tally() + tally
    assert sum([tally, tally], Tally()) == Tally(*(2 * each for each in astuple(tally)))


def test_an_audience_that_is_not_counted_is_unknown_in_every_sum():
    counted, uncounted = Tally(sent=1, audience=5), Tally(sent=2, audience=None)

    assert counted + uncounted == uncounted + counted == Tally(sent=3, audience=None)


def test_forms_of_address_follow_the_gender():
    assert by_form([0, 1, None, 2, 0, None, None]) == Tally(sent=7, male=2, female=2, neutral=3)
