"""Databases with the newest tables, quickly: the migrations run once for each kind, then what they made is copied."""

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from migrations import schema

_made: dict[object, list[str]] = {}
"""By the kind of server: the statements that make what the migrations made there."""


def give_tables(database: Engine) -> None:
    """The newest tables, empty where there were none before."""
    with database.connect() as connection:
        if sa.inspect(connection).get_table_names():
            schema.upgrade(connection)
            return
        dialect = connection.dialect
        kind = dialect.name, dialect.server_version_info, getattr(dialect, "is_mariadb", False)
        if kind in _made:
            _copy(connection, _made[kind])
        else:
            schema.upgrade(connection)
            _made[kind] = statements(connection)


def statements(connection: Connection) -> list[str]:
    """What makes the tables that are here, each with the database's own words, and notes their revision."""
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE sql <> '' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        made = list(connection.scalars(sa.text(query)))
    else:
        names = sa.inspect(connection).get_table_names()
        made = [str(connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1]) for name in names]
    return [*made, f"INSERT INTO alembic_version VALUES ('{schema.status(connection).current}')"]


def _copy(connection: Connection, made: list[str]) -> None:
    if connection.dialect.name == "sqlite":
        connection.execution_options(writes=True)
        for each in made:
            connection.exec_driver_sql(each)
    else:
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for each in made:
            connection.exec_driver_sql(each.replace("%", "%%"))
        connection.exec_driver_sql("SET foreign_key_checks = 1")
    connection.commit()
