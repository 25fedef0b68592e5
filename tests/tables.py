"""Databases with the newest tables, quickly: the migrations run once for each kind, then what they made is copied."""

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from migrations import schema

_made: dict[object, list[str]] = {}
"""By the kind of server: the statements that make what the migrations made there."""


def give_tables(database: Engine) -> None:
    """The newest tables, empty where there were none before."""
    with database.connect() as connection:
        dialect = connection.dialect
        if dialect.name == "sqlite" or sa.inspect(connection).get_table_names():
            schema.upgrade(connection)
            return
        kind = dialect.server_version_info, getattr(dialect, "is_mariadb", False)
        if kind in _made:
            _copy(connection, _made[kind])
        else:
            schema.upgrade(connection)
            _made[kind] = _statements(connection)


def _statements(connection: Connection) -> list[str]:
    names = sa.inspect(connection).get_table_names()
    made = [str(connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1]) for name in names]
    return [*made, f"INSERT INTO alembic_version VALUES ('{schema.status(connection).current}')"]


def _copy(connection: Connection, statements: list[str]) -> None:
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for each in statements:
        connection.exec_driver_sql(each.replace("%", "%%"))
    connection.exec_driver_sql("SET foreign_key_checks = 1")
    connection.commit()
