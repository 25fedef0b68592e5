"""Which values the table has for a gender, and whether it refuses those that are none."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.sentence import Some
from app.store.tables import GENDER_CHECK, customers


def odd_values(connection: Connection) -> dict[Any, int]:
    """How many customers have each value that is no gender, the most frequent first. Reads the whole table: 0.3 s for
    two million. On SQLite a value may be anything, as the text `女`."""
    how_many = sa.func.count()
    query = sa.select(customers.c.gender, how_many).where(customers.c.gender.not_in([0, 1]))
    rows = connection.execute(query.group_by(customers.c.gender).order_by(how_many.desc(), customers.c.gender))
    return {row[0]: row[1] for row in rows}


def can_be_guarded(connection: Connection) -> bool:
    """Whether it is a table with a number for the gender; somebody may have made a view, or a column of texts."""
    inspector = sa.inspect(connection)
    if customers.name not in inspector.get_table_names():
        return False
    types = {each["name"]: each["type"] for each in inspector.get_columns(customers.name)}
    return isinstance(types.get(customers.c.gender.name), sa.Integer)


def is_guarded(connection: Connection) -> bool:
    """Whether the table takes no other value than 0, 1 and NULL any more."""
    if connection.dialect.name == "sqlite":
        query = sa.text("SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE :name")
        return bool(connection.execute(query, {"name": f"{GENDER_CHECK}%"}).scalar_one() == 2)
    return any(each["name"] == GENDER_CHECK for each in sa.inspect(connection).get_check_constraints(customers.name))


def shown(odd: Mapping[Any, int]) -> Some:
    """The first few values and how often there is each: `2 ×1,200, 9 ×1`."""
    return Some(f"{value} ×{count:,}" for value, count in odd.items())
