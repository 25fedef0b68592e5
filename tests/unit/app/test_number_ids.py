"""What stands for a number where the number itself may not."""

import pytest

from app.domain.number_ids import KEY_BYTES, NumberIds

NUMBER = 13800000001


def test_an_id_leads_back_to_its_number_and_is_the_same_each_time():
    ids = NumberIds(b"k" * KEY_BYTES)

    assert ids.number(ids.of(NUMBER)) == NUMBER
    assert ids.of(NUMBER) == NumberIds(b"k" * KEY_BYTES).of(NUMBER)
    assert len({ids.of(NUMBER + each) for each in range(1000)}) == 1000


def test_under_another_key_it_is_another_one_and_leads_nowhere():
    ids, others = NumberIds(b"k" * KEY_BYTES), NumberIds(b"l" * KEY_BYTES)

    assert ids.of(NUMBER) != others.of(NUMBER)
    assert others.number(ids.of(NUMBER)) is None


@pytest.mark.parametrize("change", [str.upper, lambda one: one[:-2], lambda one: one + "00", lambda one: f"{one[:-1]} ",
                                    lambda _: "", lambda _: "0" * 32, lambda _: "什" * 32])  # fmt: skip
def test_what_is_none_of_ours_is_nobodys(change):
    ids = NumberIds(b"k" * KEY_BYTES)

    assert ids.number(change(ids.of(NUMBER))) is None
