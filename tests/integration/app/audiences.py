"""Tables and views beside `customers`, for tests of campaigns to them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Engine

from app.store.database import writing
from tests.integration.app.people import Row

ID = "id INT PRIMARY KEY"
COLUMNS = f"{ID}, name VARCHAR(64), gender INT, mobile VARCHAR(20), city VARCHAR(20)"


def execute(database: Engine, *statements: str) -> None:
    with writing(database) as connection:
        for each in statements:
            connection.execute(sa.text(each))


def settle(database: Engine, name: str, rows: Sequence[Row], columns: str = COLUMNS) -> None:
    """A table of this name with these people, who live in 上海 where it has cities."""
    execute(database, f"CREATE TABLE `{name}` ({columns})")
    with writing(database) as connection:
        there = sa.table(name, *map(sa.column, ("id", "name", "gender", "mobile", "city")))
        has_cities = "city" in columns
        for number, its_name, gender, mobile in rows:
            values = {"id": number, "name": its_name, "gender": gender, "mobile": mobile}
            connection.execute(there.insert().values(values | ({"city": "上海"} if has_cities else {})))
