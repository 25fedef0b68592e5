"""Whether the database can be worked with, said in one sentence when not."""

import sqlalchemy as sa
from sqlalchemy import Engine

from app.errors import DatabaseUnavailable, SchemaOutdated
from app.store.database import sqlite_file
from app.store.tables import customers, metadata


def check_ready(database: Engine) -> None:
    """Raises SchemaOutdated when a table or column of ours is missing, DatabaseUnavailable for a file of SQLite that is
    not there, which opening it would make, and what the driver raises for the rest."""
    path = sqlite_file(database.url) if database.dialect.name == "sqlite" else None
    if path and path.parent.exists() and not path.exists():
        raise DatabaseUnavailable("database.missing", path=path)
    try:
        connection = database.connect()
    except TypeError as error:  # the driver does not know what stands after the ? in the URL
        raise DatabaseUnavailable("database.option", why=error) from error
    with connection:
        inspector = sa.inspect(connection)
        there = set(inspector.get_table_names())
        # customers first: without any table it is them that a person misses
        for table in sorted(metadata.tables.values(), key=lambda each: each is not customers):
            if table.name not in there:
                raise SchemaOutdated("schema.no_table", table=table.name)
            columns = {each["name"] for each in inspector.get_columns(table.name)}
            if missing := [each.name for each in table.columns if each.name not in columns]:
                raise SchemaOutdated("schema.no_column", table=table.name, column=missing[0])
