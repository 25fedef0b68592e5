"""A page of customers packed by the server, a list for each column."""

from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.people import Customer
from app.store.customers import _unpack

SEPARATOR = "\x1e"

fields = st.text(alphabet=st.characters(codec="utf-8", exclude_characters=SEPARATOR), max_size=20)
genders = st.none() | st.integers(-128, 127)
pages = st.integers(0, 2).flatmap(
    lambda more: st.lists(
        st.tuples(st.integers(1, 2**32 - 1), fields, fields, genders, *repeat(fields, more)),
        min_size=1,
        unique_by=lambda customer: customer[0],
    )
)


def pack(customers: list[Customer]) -> list[str]:
    """As the server does it."""
    return [
        SEPARATOR.join("" if value is None else str(value) for value in column)
        for column in zip(*customers, strict=True)
    ]


@given(pages)
def test_a_packed_page_holds_the_customers_as_they_are_in_id_order(customers):
    people = _unpack(len(customers), *pack(customers))

    assert people is not None
    assert list(people) == sorted(customers, key=lambda customer: customer[0])


def test_no_customers_are_an_empty_page():
    assert list(_unpack(0, None, None, None, None)) == []


@pytest.mark.parametrize("name", ["a\x1eb", "\x1e", "\x1e\x1e", "1\x1e2"])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_page_whose_data_hold_the_separator_is_not_taken_apart_wrongly(name, others):
    customers = [(1, "13800000000", name, 1)] + [(2 + each, "13800000001", "张", None) for each in range(others)]

    assert _unpack(len(customers), *pack(customers)) is None


def test_a_page_with_a_gender_that_is_no_small_number_is_not_taken_apart():
    assert _unpack(1, "7", "13800000000", "张", "f") is None
