"""A schema that a test leaves is for the next one as if it had been made for it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.domain.sharding import IdRange
from app.store import campaigns
from app.store.database import open_database, writing
from tests.conftest import MYSQL
from tests.reused import MANY_ROWS, Reused
from tests.tables import statements


@pytest.fixture(params=[MYSQL, "mariadb"])
def reused(request: pytest.FixtureRequest) -> Iterator[Reused]:
    """Of this test alone."""
    with Reused(request.getfixturevalue(f"{request.param}_server")) as reused:
        yield reused


def used(url: str, *done: str) -> list[str]:
    """What makes the tables, before these statements are done there."""
    engine = open_database(url)
    with writing(engine) as connection:
        made = statements(connection)
        for each in done:
            connection.execute(sa.text(each))
    engine.dispose()
    return made


def counts(url: str) -> set[int]:
    engine = open_database(url)
    with engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        found = {connection.execute(sa.text(f"SELECT COUNT(*) FROM {name}")).scalar_one() for name in names}
    engine.dispose()
    return found


PEOPLE = "INSERT INTO customers (name, gender, mobile) VALUES " + ", ".join(["('张伟', 1, '13800000000')"] * 3)
MANY = "INSERT INTO customers (name, mobile) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE"
MANY += f" i < {MANY_ROWS // 2 + 10}) SELECT 'a', '13800000000' FROM n"


@pytest.mark.parametrize("done", [[PEOPLE], [MANY, MANY]], ids=["a few", "many"])
def test_it_is_empty_again_and_counts_from_one(reused, done):
    with reused.schema() as first:
        made = used(first, *done)
        engine = open_database(first)
        with writing(engine) as connection:
            campaigns.insert(connection, "a", "{name}", [IdRange(0, 0, 3)], allow_duplicates=True, gateway="log")
        engine.dispose()

    with reused.schema() as second:
        assert second == first
        assert counts(second) == {0}
        assert used(second) == made


def test_two_at_once_have_one_each(reused):
    with reused.schema() as first, reused.schema() as second:
        assert first != second


@pytest.mark.parametrize(
    "done",
    [
        "ALTER TABLE customers ADD COLUMN city VARCHAR(10)",
        "CREATE TABLE others (id INT PRIMARY KEY)",
        "DROP TABLE rejects",
        "UPDATE alembic_version SET version_num = '0001'",
    ],
)
def test_one_whose_tables_are_others_is_not_used_again(reused, done):
    with reused.schema() as first:
        used(first, done)

    with reused.schema() as second:
        assert second != first
