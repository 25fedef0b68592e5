"""A page of customers packed by the server into one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.customers import _unpack

fields = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x1e\x1f"), max_size=20)
pages = st.lists(
    st.tuples(st.integers(1, 2**32 - 1), fields, fields, st.none() | st.integers(-128, 127)),
    min_size=1,
    unique_by=lambda customer: customer[0],
)


def pack(customers: list[tuple[int, str, str, int | None]]) -> str:
    """As the server does it."""
    return "".join(
        "\x1f".join([str(number), mobile, name, "" if gender is None else str(gender)]) + "\x1e"
        for number, mobile, name, gender in customers
    )


@given(pages)
def test_a_packed_page_holds_the_customers_as_they_are_in_id_order(customers):
    assert _unpack(len(customers), pack(customers)) == sorted(customers, key=lambda customer: customer[0])


def test_no_customers_are_an_empty_page():
    assert _unpack(0, None) == []


@given(pages, st.data())
def test_a_page_cut_off_anywhere_is_not_taken_for_a_whole_one(customers, data):
    packed = pack(customers)
    cut = data.draw(st.integers(0, len(packed) - 1))

    assert _unpack(len(customers), packed[:cut]) is None


@pytest.mark.parametrize("name", ["a\x1eb", "a\x1fb", "\x1e", "\x1f", "\x1e\x1f\x1f\x1f", "1\x1e2\x1f3\x1f4\x1f5"])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_page_whose_data_hold_the_separators_is_not_taken_apart_wrongly(name, others):
    customers = [(1, "13800000000", name, 1)] + [(2 + each, "13800000001", "张", None) for each in range(others)]

    assert _unpack(len(customers), pack(customers)) is None


@given(pages, st.data())
def test_a_packed_page_with_more_columns_holds_their_values_in_order(customers, data):
    values = [data.draw(st.tuples(fields, fields)) for _ in customers]
    rows = [(*customer, *more) for customer, more in zip(customers, values, strict=True)]
    packed = "".join(
        "\x1f".join([str(number), mobile, name, "" if gender is None else str(gender), *more]) + "\x1e"
        for number, mobile, name, gender, *more in rows
    )

    assert _unpack(len(rows), packed, 2) == sorted(rows, key=lambda row: row[0])
    assert _unpack(len(rows), packed, 1) is None
