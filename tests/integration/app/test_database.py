"""How the database is opened."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store.database import writing
from app.store.tables import customers


def test_an_error_of_the_database_tells_nothing_of_the_customers(database):
    with pytest.raises(DBAPIError) as error, writing(database) as connection:
        connection.execute(sa.insert(customers).values(name="张伟", mobile="13800000000", id="x" * 10))

    assert "13800000000" not in str(error.value)
    assert "张伟" not in str(error.value)


def test_what_was_written_is_gone_when_something_is_raised(database):
    with pytest.raises(LookupError), writing(database) as connection:
        connection.execute(sa.insert(customers).values(name="张伟", mobile="13800000000"))
        raise LookupError

    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one() == 0
