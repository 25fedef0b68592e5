"""Customers read in pages."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.audience import CUSTOMERS
from app.domain.people import Customer
from app.store import customers
from app.store.customers import Pages
from app.store.database import open_database
from tests.integration.app.people import ODD_NAMES, Row, move_in, person

ODD = [person(number, name, (0, 1, None, -128, 127)[number % 5]) for number, name in enumerate(ODD_NAMES, start=1)]


def as_page(rows: list[Row]) -> list[Customer]:
    return [(number, mobile, name, gender) for number, name, gender, mobile in rows]


def read_all(connection: Connection, to_id: int, limit: int) -> list[Customer]:
    everybody: list[Customer] = []
    pages, reached = Pages(CUSTOMERS, to_id, limit), 0
    while reached < to_id:
        after_id = reached
        people, reached = pages.after(connection, after_id)
        assert len(people) <= limit
        assert all(after_id < number <= reached for number in people.ids)
        everybody += people
    return everybody


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_hold_every_customer_once_in_id_order_with_names_as_they_are(database, limit):
    move_in(database, ODD)

    with database.connect() as connection:
        assert read_all(connection, 1000, limit) == as_page(ODD)


@pytest.mark.parametrize("ids", [[*range(1, 40), 1000, 100_000], [7, 5000, *range(5001, 5040)], [*range(1, 100, 3)]])
def test_pages_hold_everyone_where_ids_stand_close_and_where_few_are_taken(database, ids):
    move_in(database, [person(number) for number in ids])

    with database.connect() as connection:
        assert read_all(connection, 100_001, 10) == as_page([person(number) for number in ids])


def test_a_page_begins_after_one_id_and_reaches_the_other(database):
    move_in(database, [person(number) for number in (1, 2, 5, 6, 9)])

    with database.connect() as connection:
        assert list(customers.page(connection, CUSTOMERS, 1, 6, 10).ids) == [2, 5, 6]
        assert list(customers.page(connection, CUSTOMERS, 6, 8, 10)) == []
        assert list(customers.page(connection, CUSTOMERS, 0, 9, 2).ids) == [1, 2]


def test_the_highest_id_of_an_empty_table_is_nought(database):
    with database.connect() as connection:
        assert customers.max_id(connection, CUSTOMERS) == 0
        assert customers.extent(connection, CUSTOMERS) == (1, 0)


def test_the_highest_id_may_be_the_highest_there_is(database):
    move_in(database, [person(1), (2**32 - 1, "末", None, "13900000000")])

    with database.connect() as connection:
        assert customers.max_id(connection, CUSTOMERS) == 2**32 - 1
        assert customers.extent(connection, CUSTOMERS)[1] == 2**32 - 1
        assert list(customers.page(connection, CUSTOMERS, 1, 2**32 - 1, 5).ids) == [2**32 - 1]


@pytest.mark.parametrize("ids", [[], [1], [3, 4, 5, 6], [3, 4, 6, 7], [1, 9], range(1, 11)])
def test_ranges_are_counted_whether_ids_are_missing_or_not(sqlite, ids):
    move_in(sqlite, [person(number) for number in ids])
    ranges = [(0, 3), (3, 6), (6, 20), (4, 4), (0, 2**32)]

    with sqlite.connect() as connection:
        counted = customers.counts(connection, CUSTOMERS, ranges)

    assert counted == [sum(after_id < number <= to_id for number in ids) for after_id, to_id in ranges]


def test_everybody_is_counted_once_also_where_ids_are_missing(sqlite):
    move_in(sqlite, [person(number) for number in (3, 4, 9)])
    asked = []
    sa.event.listen(sqlite, "before_cursor_execute", lambda *each: asked.append(each[2]))

    with sqlite.connect() as connection:
        assert customers.count(connection, CUSTOMERS, 0, 9) == 3

    assert sum("count(" in each for each in asked) == 1


def test_counting_no_range_asks_nothing(sqlite):
    with sqlite.connect() as connection:
        assert customers.counts(connection, CUSTOMERS, []) == []


@pytest.mark.mysql
def test_a_server_that_cuts_a_packed_page_short_changes_no_customer(mysql):
    rows = [person(1, "张伟", 1), person(2, "王芳", 12)]
    move_in(mysql, rows)

    with mysql.connect() as connection:
        for longest in range(4, 70):
            connection.execute(sa.text(f"SET SESSION group_concat_max_len = {longest}"))
            assert read_all(connection, 9, 9) == as_page(rows), f"cut off after {longest} bytes"


@pytest.mark.mysql
@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_both_drivers_read_the_same(mysql, driver):
    if driver == "mysqldb":
        pytest.importorskip("MySQLdb")
    move_in(mysql, ODD)
    other = open_database(mysql.url.set(drivername=f"mysql+{driver}").render_as_string(hide_password=False))

    with other.connect() as connection:
        assert read_all(connection, 1000, 3) == as_page(ODD)
    other.dispose()
