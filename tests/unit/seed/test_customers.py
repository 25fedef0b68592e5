"""Who is made up, and that it is always the same people."""

import re
from itertools import chain, islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed import customers, profile
from seed.customers import CHUNK_ROWS, Row
from seed.profile import Profile

CHINA = profile.zh_cn()
SMALL = Profile(surnames=[("王", 3.0), ("李", 1.0)], women=["芳", "娜"], men=["伟"], prefixes=["138", "159"])
GOLDEN: list[Row] = [
    (1, "李伟", 1, "13864793965"),
    (2, "李伟", 1, "13887934884"),
    (3, "李伟", 1, "13893640334"),
    (4, "李伟", 1, "15912575837"),
    (5, "王芳", 0, "15940745419"),
    (6, "王娜", 0, "13893821140"),
]
SEEDS = st.integers(min_value=0, max_value=2**64)


def rows(seed: int, count: int, people: Profile = CHINA) -> list[Row]:
    return list(chain.from_iterable(customers.chunks(people, seed, count)))


def test_a_seed_gives_these_people_on_every_python_and_every_database():
    assert rows(42, 6, SMALL) == GOLDEN


@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_the_same_seed_gives_the_same_people_and_another_seed_others(seed):
    first = rows(seed, 50)

    assert rows(seed, 50) == first
    assert rows(seed + 1, 50) != first


@pytest.mark.parametrize("count", [1, 999, CHUNK_ROWS, CHUNK_ROWS + 1])
def test_a_smaller_count_gives_the_beginning_of_a_larger_one(count):
    larger = islice(chain.from_iterable(customers.chunks(CHINA, 7, 3 * CHUNK_ROWS)), count)

    assert rows(7, count) == list(larger)


@given(seed=SEEDS, count=st.integers(0, 2_000))
@settings(max_examples=5, deadline=None)
def test_ids_run_from_1_to_the_count(seed, count):
    assert [row[0] for row in rows(seed, count)] == list(range(1, count + 1))


@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_mobiles_are_valid_and_nobody_shares_one(seed):
    mobiles = [row[3] for row in rows(seed, 2 * CHUNK_ROWS + 1_000)]

    assert len(set(mobiles)) == len(mobiles)
    assert all(re.fullmatch(r"1[3-9]\d{9}", mobile) for mobile in mobiles)
    assert {mobile[:3] for mobile in mobiles} == set(CHINA.prefixes)


def test_every_possible_mobile_comes_exactly_once(monkeypatch):
    monkeypatch.setattr(customers, "TAILS", 100)
    monkeypatch.setattr(customers, "CHUNK_ROWS", 50)
    monkeypatch.setattr(customers, "HEADS_PER_PREFIX", 10)

    everyone = rows(42, customers.limit(SMALL), SMALL)

    assert len({mobile for *_, mobile in everyone}) == len(everyone) == 2 * 10 * 100


def test_mobiles_of_neighbours_have_nothing_in_common():
    mobiles = [row[3] for row in rows(42, 10_000)]

    close = sum(abs(int(one) - int(next_)) < 1_000_000 for one, next_ in pairwise(mobiles))
    assert close < 20  # 7 are expected of 10,000 numbers drawn from 2.9e9


def test_names_fit_the_gender():
    surnames = {name for name, _ in CHINA.surnames}
    women = {surname + name for surname in surnames for name in CHINA.women}
    men = {surname + name for surname in surnames for name in CHINA.men}
    fitting = {0: women, 1: men, None: women | men}

    assert all(name in fitting[gender] for _, name, gender, _ in rows(42, 50_000))


def test_genders_are_even_and_one_in_a_hundred_is_not_known():
    genders = [row[2] for row in rows(42, 100_000)]

    assert 0.485 < genders.count(0) / 100_000 < 0.505
    assert 0.485 < genders.count(1) / 100_000 < 0.505
    assert 0.008 < genders.count(None) / 100_000 < 0.012


def test_frequent_surnames_are_frequent():
    share = sum(name.startswith("王") for _, name, *_ in rows(42, 40_000, SMALL)) / 40_000

    assert 0.74 < share < 0.76


def test_chunks_are_of_equal_size_and_the_last_is_what_remains():
    sizes = [len(chunk) for chunk in customers.chunks(CHINA, 42, 2 * CHUNK_ROWS + 5)]

    assert sizes == [CHUNK_ROWS, CHUNK_ROWS, 5]


def test_nobody_is_no_chunk():
    assert list(customers.chunks(CHINA, 42, 0)) == []


@pytest.mark.parametrize("count", [-1, customers.limit(CHINA) + 1])
def test_a_count_that_cannot_be_is_refused(count):
    with pytest.raises(ValueError, match="must be 0 to"):
        next(customers.chunks(CHINA, 42, count))
