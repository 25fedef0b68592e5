"""A page of customers is sorted into messages and rejects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.greeting import DEFAULT_TEMPLATE, compile_template
from app.domain.mobile import normalise, odd_places
from app.domain.page import prepare
from app.domain.people import People
from app.domain.reject import Reason, Reject

SHORT = compile_template("{mobile}{name}")
GOOD = "13800000000"

mobiles = st.sampled_from(
    [
        GOOD,
        "１３９00000000",
        "+86 139-0000-0001",
        "",
        "  ",
        "12345",
        f"{GOOD}\n13900000000",
        "13800\n00000",
        "1380000000é",
    ]
)
names = st.sampled_from(["张伟", "", " ", "\u3000", "李\n娜", "\x1e", " 王 "])
customers = st.lists(
    st.tuples(st.integers(1, 50), mobiles, names, st.none() | st.integers(-1, 2)), max_size=9, unique_by=lambda c: c[0]
).map(sorted)


def test_those_who_can_be_greeted_are_and_counted():
    page = prepare(
        SHORT, People.of([(1, GOOD, "张", 1), (2, GOOD, "李", 0), (5, GOOD, "王", None), (6, GOOD, "孙", -1)])
    )

    assert page.text == f"{GOOD}张\n{GOOD}李\n{GOOD}王\n{GOOD}孙\n"
    assert (page.tally.sent, page.tally.male, page.tally.female, page.tally.neutral, page.rejects) == (4, 2, 1, 1, [])


def test_a_page_without_customers_is_empty():
    page = prepare(SHORT, People.of([]))

    assert (page.text, page.tally.sent, page.rejects) == ("", 0, [])


def test_a_page_of_which_nobody_can_be_greeted_has_no_text():
    page = prepare(SHORT, People.of([(1, "", "张", 1), (2, "1", "李", 0)]))

    assert (page.text, page.tally.sent, page.tally.male) == ("", 0, 0)
    assert page.rejects == [(1, Reason.NO_MOBILE), (2, Reason.BAD_MOBILE)]


@pytest.mark.parametrize(
    ("mobile", "name", "reason"),
    [
        ("", "张", Reason.NO_MOBILE),
        (" \t\u3000", "张", Reason.NO_MOBILE),
        ("12800000000", "张", Reason.BAD_MOBILE),
        ("1380000000", "张", Reason.BAD_MOBILE),
        (f"{GOOD}\n{GOOD}", "张", Reason.BAD_MOBILE),
        (GOOD, "", Reason.NO_NAME),
        (GOOD, " \u3000\n", Reason.NO_NAME),
        ("", "", Reason.NO_MOBILE),
        ("x", "", Reason.BAD_MOBILE),
        (GOOD, "张", None),
        (f" {GOOD} ", "张", None),
    ],
)
def test_a_customer_is_rejected_for_the_first_reason_there_is(mobile, name, reason):
    page = prepare(SHORT, People.of([(1, GOOD, "李", 0), (7, mobile, name, 1), (9, GOOD, "王", 0)]))

    assert page.rejects == ([] if reason is None else [Reject(7, reason)])
    assert page.tally.sent == 3 - len(page.rejects)
    assert page.text.startswith(f"{GOOD}李\n")
    assert page.text.endswith(f"{GOOD}王\n")


@pytest.mark.parametrize(
    "mobile", ["+8613800000000", "0086 138 0000 0000".replace(" 0000", "-0000"), "１３８００００００００"]
)
def test_the_message_shows_the_mobile_in_its_one_form(mobile):
    page = prepare(SHORT, People.of([(1, mobile, "张", 1)]))

    assert page.text == f"{GOOD}张\n"
    assert list(page.greeted) == [(1, GOOD, "张", 1)]


def test_duplicates_are_rejected_and_only_those_of_the_page():
    page = prepare(SHORT, People.of([(1, GOOD, "张", 1), (2, GOOD, "李", 0), (3, "", "王", 0)]), duplicates={2, 3, 99})

    assert page.text == f"{GOOD}张\n"
    assert page.rejects == [(2, Reason.DUPLICATE), (3, Reason.NO_MOBILE)]


def test_columns_of_the_template_come_along():
    page = prepare(
        compile_template("{city}{name}", ["city"]),
        People.of([(1, f"+86{GOOD}", "张", 1, "上海"), (2, "", "李", 0, "北京")]),
    )

    assert page.text == "上海张\n"


@given(customers, st.sets(st.integers(1, 50)))
def test_everybody_is_greeted_or_rejected_and_never_both(people, duplicates):
    page = prepare(compile_template(DEFAULT_TEMPLATE), People.of(people), duplicates)

    assert sorted([each[0] for each in page.greeted] + [each.customer_id for each in page.rejects]) == sorted(
        each[0] for each in people
    )
    assert len(page.text.splitlines()) == page.text.count("\n") == page.tally.sent == len(page.greeted)
    assert page.tally.male + page.tally.female + page.tally.neutral == page.tally.sent


@given(customers, st.sets(st.integers(1, 50)))
def test_a_page_is_sorted_out_as_its_customers_one_by_one(people, duplicates):
    whole = prepare(SHORT, People.of(people), duplicates)
    alone = [prepare(SHORT, People.of([each]), duplicates) for each in people]

    assert whole.text == "".join(each.text for each in alone)
    assert list(whole.rejects) == [reject for each in alone for reject in each.rejects]


@given(st.lists(mobiles, max_size=9))
def test_mobiles_are_found_odd_together_when_each_is_not_in_its_one_form(together):
    assert odd_places(together) == [place for place, each in enumerate(together) if normalise(each) != each]


@pytest.mark.parametrize(
    ("together", "odd"),
    [
        (["1380000000", "138000000000"], [0, 1]),
        ([f"{GOOD}\n{GOOD}"], [0]),
        ([f"{GOOD}\n{GOOD}", GOOD, "1"], [0, 2]),
        ([f"{GOOD}\n", GOOD], [0]),
        (["", ""], [0, 1]),
        ([GOOD, GOOD], []),
        ([], []),
    ],
)
def test_numbers_that_only_together_look_usable_are_odd(together, odd):
    assert odd_places(together) == odd
