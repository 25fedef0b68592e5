"""Some of an audience: what a choice is known by, and how lists of ids are cut."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.choice import HIGHEST_ID, Sample, These, is_most_of_its_range, next_of, these
from app.domain.people import People
from app.domain.sharding import IdRange, count_within, split

ids_of = st.lists(st.integers(1, HIGHEST_ID), max_size=30)


@given(ids_of)
def test_ids_are_the_same_choice_in_whatever_order_and_however_often(ids):
    assert these(ids).key == these([*reversed(ids), *ids]).key
    assert list(these(ids).ids) == sorted({*ids})


@given(ids_of, ids_of)
def test_other_ids_are_another_choice(some, others):
    assert (these(some).key == these(others).key) == ({*some} == {*others})


def test_a_choice_is_known_by_what_a_column_has_room_for():
    assert {len(these(range(1, count)).key) for count in (2, 1000)} == {36}
    assert Sample(10**18).key == f"sample {10**18}"
    assert These([1]).key != Sample(1).key


@given(ids_of.map(lambda ids: sorted({*ids})), st.integers(1, HIGHEST_ID))
def test_shards_hold_those_who_were_chosen_each_once(ids, size):
    highest = ids[-1] if ids else 0

    ranges = list(split(lambda after_id: next_of(ids, after_id), highest, size))

    assert sum(count_within(array("I", ids), each) for each in ranges) == len(ids)
    assert all(count_within(ids, each) for each in ranges)


def test_a_stretch_counts_those_in_it():
    assert [count_within([2, 3, 5], IdRange(0, *of)) for of in ((0, 1), (1, 2), (2, 5), (5, 9))] == [0, 1, 2, 0]


@pytest.mark.parametrize(("ids", "is_most"), [([], False), ([7], True), ([1, 2, 4], True), ([1, 2, 7], False)])
def test_a_list_is_most_of_its_range_where_every_other_id_is_on_it(ids, is_most):
    assert is_most_of_its_range(ids) is is_most


PEOPLE = [(number, f"1380000000{number}", "张伟", 1, "上海") for number in range(1, 6)]


@given(st.lists(st.booleans(), min_size=5, max_size=5))
def test_people_are_kept_where_it_holds(holds):
    assert list(People.of(PEOPLE).where(holds)) == [each for each, kept in zip(PEOPLE, holds, strict=True) if kept]


@pytest.mark.parametrize("cuts", [[], [5], [0, 5], [2, 3], [1, 0, 4]])
def test_parts_of_people_are_joined(cuts):
    parts, rest = [], PEOPLE
    for count in cuts:
        parts.append(People.of(rest[:count]))
        rest = rest[count:]

    assert list(People.joined(parts)) == PEOPLE[: sum(cuts)]
