"""How ids are cut into shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sharding import IdRange, spans, split


def cut(ids, size):
    """The shards of a table with these ids, and how often it was asked."""
    asked = []

    def next_id(after_id):
        asked.append(after_id)
        return min((each for each in ids if each > after_id), default=None)

    return list(split(next_id, max(ids, default=0), size)), len(asked)


@given(ids=st.sets(st.integers(1, 300)), size=st.integers(1, 320))
def test_each_id_is_in_one_shard_whose_number_tells_its_range_and_no_shard_is_empty(ids, size):
    shards, asked = cut(ids, size)

    homes = [[each.number for each in shards if each.after_id < number <= each.to_id] for number in sorted(ids)]
    assert homes == [[(number - 1) // size] for number in sorted(ids)]
    assert {each.number for each in shards} == {(number - 1) // size for number in ids}
    assert asked == len(shards)
    assert all(each.after_id == each.number * size for each in shards)
    assert [each.to_id for each in shards] == [min((each.number + 1) * size, max(ids)) for each in shards]


def test_two_million_ids_are_the_tutorials_four_tasks():
    assert list(split(lambda after_id: after_id + 1, 2_000_000, 500_000)) == [
        IdRange(0, 0, 500_000),
        IdRange(1, 500_000, 1_000_000),
        IdRange(2, 1_000_000, 1_500_000),
        IdRange(3, 1_500_000, 2_000_000),
    ]


@pytest.mark.parametrize(
    ("max_id", "ends"), [(499_999, [499_999]), (500_000, [500_000]), (500_001, [500_000, 500_001])]
)
def test_a_new_shard_begins_after_a_shards_end_and_not_before(max_id, ends):
    assert [each.to_id for each in split(lambda after_id: after_id + 1, max_id, 500_000)] == ends


def test_an_empty_table_has_no_shards():
    assert cut([], 500_000) == ([], 0)


def test_stretches_that_touch_are_one_span():
    shards, _ = cut([1, 15, 25, 31, 99], 10)

    assert spans(shards) == [(0, 40), (90, 99)]
    assert spans([]) == []
