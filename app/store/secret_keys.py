"""Rows of `secret_keys`: what all processes of a database share and nobody else knows, made when it is first needed."""

import secrets

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.store.access_tables import secret_keys
from app.store.faults import write

NUMBER_IDS = "number_ids"


def get_or_make(database: Engine, name: str, count_bytes: int) -> bytes:
    """The key of this name."""
    query = sa.select(secret_keys.c.value).where(secret_keys.c.name == name)
    with database.connect() as connection:
        found = connection.execute(query).scalar()
    if found is not None:
        return bytes(found)

    def unit(connection: Connection) -> bytes:
        statement = secret_keys.insert().values(name=name, value=secrets.token_bytes(count_bytes))
        statement = statement.prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")
        connection.execute(statement.prefix_with("OR IGNORE", dialect="sqlite"))  # another process may be quicker
        return bytes(connection.execute(query.with_for_update()).scalar_one())

    return write(database, unit)
