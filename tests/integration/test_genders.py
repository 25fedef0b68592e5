"""The table of customers refuses a gender that is none, on every database, and nobody's data is changed for it."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store.database import open_database
from app.store.genders import is_guarded
from migrations import gender_check, schema
from tests.integration.test_migrations import migrations
from tests.words import words


def move_in(connection, *genders):
    for gender in genders:
        insert = sa.text("INSERT INTO customers (name, gender, mobile) VALUES ('王芳', :gender, '13800000000')")
        connection.execute(insert, {"gender": gender})
    connection.commit()


def genders(connection):
    return list(connection.execute(sa.text("SELECT gender FROM customers ORDER BY id")).scalars())


@pytest.mark.parametrize("gender", [2, -1, 9, "女", "男"])
def test_what_is_no_gender_is_refused(connection, gender):
    schema.upgrade(connection)
    move_in(connection, 0, 1, None)

    with pytest.raises(DBAPIError):
        move_in(connection, gender)
    connection.rollback()
    with pytest.raises(DBAPIError):
        connection.execute(sa.text("UPDATE customers SET gender = :gender"), {"gender": gender})
    connection.rollback()

    assert genders(connection) == [0, 1, None]


def test_rows_that_break_the_rule_stay_as_they_are_and_the_upgrade_goes_through(connection):
    schema.upgrade(connection, "0007")
    move_in(connection, 0, 2, 9)

    schema.upgrade(connection)

    assert schema.status(connection).is_current
    assert genders(connection) == [0, 2, 9]
    if connection.dialect.name == "sqlite":  # who is there may stay, and nobody else comes in
        assert is_guarded(connection)
    else:
        said = words(gender_check.refusal(connection))
        assert said.startswith("2 customers have an invalid gender (2 ×1, 9 ×1)")


def test_once_they_are_corrected_the_next_upgrade_puts_the_rule_in_place(connection):
    schema.upgrade(connection, "0007")
    move_in(connection, 0, 2)
    schema.upgrade(connection)
    connection.execute(sa.text("UPDATE customers SET gender = NULL WHERE gender NOT IN (0, 1)"))
    connection.commit()

    schema.upgrade(connection)

    assert is_guarded(connection)
    assert gender_check.refusal(connection) is None


def test_somebodys_own_view_of_customers_is_left_alone(connection):
    schema.upgrade(connection, "0007")
    connection.execute(sa.text("ALTER TABLE customers RENAME TO people"))
    connection.execute(sa.text("CREATE VIEW customers AS SELECT * FROM people"))
    connection.commit()

    schema.upgrade(connection)

    assert schema.status(connection).is_current
    connection.execute(sa.text("DROP VIEW customers"))
    connection.execute(sa.text("ALTER TABLE people RENAME TO customers"))


@pytest.mark.mysql
def test_the_command_says_who_keeps_the_rule_from_being_made(mysql_url):
    database = open_database(mysql_url)
    with database.connect() as connection:
        schema.upgrade(connection, "0007")
        move_in(connection, 2)
    database.dispose()

    done = migrations(mysql_url)

    assert (done.returncode, done.stdout) == (0, f"schema went from 0007 to {schema.revisions()[-1]}\n")
    assert done.stderr.startswith("warning: 1 customer has an invalid gender (2 ×1), so the table goes on")
