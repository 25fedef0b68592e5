"""How ids are cut into shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sharding import IdRange, split


@given(max_id=st.integers(0, 300), size=st.integers(1, 320))
def test_the_shards_cover_every_id_up_to_the_highest_exactly_once(max_id, size):
    covered = [number for each in split(max_id, size) for number in range(each.after_id + 1, each.to_id + 1)]

    assert covered == list(range(1, max_id + 1))


@given(max_id=st.integers(1, 10**10), size=st.integers(10**6, 10**8))
def test_every_shard_but_the_last_has_the_size_asked_for(max_id, size):
    *others, last = split(max_id, size)

    assert all(each.to_id - each.after_id == size for each in others)
    assert 0 < last.to_id - last.after_id <= size
    assert last.to_id == max_id


def test_two_million_ids_are_the_tutorials_four_tasks():
    assert split(2_000_000, 500_000) == [
        IdRange(0, 0, 500_000),
        IdRange(1, 500_000, 1_000_000),
        IdRange(2, 1_000_000, 1_500_000),
        IdRange(3, 1_500_000, 2_000_000),
    ]


@pytest.mark.parametrize(
    ("max_id", "ends"), [(499_999, [499_999]), (500_000, [500_000]), (500_001, [500_000, 500_001])]
)
def test_a_new_shard_begins_after_a_shards_end_and_not_before(max_id, ends):
    assert [each.to_id for each in split(max_id, 500_000)] == ends


def test_an_empty_table_has_no_shards():
    assert split(0, 500_000) == []
