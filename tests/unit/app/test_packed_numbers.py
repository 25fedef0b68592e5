"""Numbers taken apart in bulk are those that one would take apart one by one."""

from hypothesis import given
from hypothesis import strategies as st

from app.dedupe.packed_numbers import END, Numbers, Packing, from_rows
from app.domain.mobile import normalise

IDS = st.integers(1, 99) | st.integers(1, 2**32 - 1)
PLAIN = st.integers(13_000_000_000, 19_999_999_999).map(str)
WRITTEN = st.builds("".join, st.tuples(st.sampled_from(["", "+86", "0086", "+86 ", " ", "86", "0"]), PLAIN))
ODD = st.text(st.sampled_from("0123456789+- ０１３８abc\n／:٣"), max_size=20)
ROWS = st.lists(st.tuples(IDS, PLAIN | WRITTEN | ODD), max_size=40)


def pairs(found: Numbers) -> list[tuple[int, int]]:
    ids, numbers = found
    return sorted(zip(ids.tolist(), numbers.tolist(), strict=True))


def packed(rows: list[tuple[int, str]], packing: Packing) -> str:
    return END.join(f"{number + packing.shift}{mobile}" for number, mobile in rows)


def around(rows: list[tuple[int, str]], before: int = 1) -> Packing:
    ids = [number for number, _ in rows]
    return Packing(max(0, min(ids) - before), max(ids))


def expected(rows: list[tuple[int, str]]) -> list[tuple[int, int]]:
    return sorted((number, int(digits)) for number, mobile in rows if (digits := normalise(mobile)))


@given(ROWS.filter(bool), st.integers(1, 10**6))
def test_a_packed_page_holds_everyone_with_a_usable_number(rows, before):
    packing = around(rows, before)

    found = packing.unpack(len(rows), packed(rows, packing))

    assert found is not None
    assert pairs(found) == expected(rows)


@given(ROWS)
def test_rows_hold_everyone_with_a_usable_number(rows):
    assert pairs(from_rows(rows)) == expected(rows)


@given(ROWS.filter(bool), st.data())
def test_a_page_with_a_separator_in_its_data_is_not_taken(rows, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    number, mobile = rows[place]
    rows[place] = (number, mobile + END)

    assert around(rows).unpack(len(rows), packed(rows, around(rows))) is None
