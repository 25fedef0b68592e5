"""What the database says of a table or view that is to be an audience."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Inspector
from sqlalchemy.exc import DBAPIError

from app.domain.audience import CUSTOMERS
from app.sentence import Sentence
from app.store.customers import quoted, table_of
from app.store.tables import metadata

NEEDED = ("id", "name", "gender", "mobile")
FEW_ROWS = 1_000
"""A part of a view so small may be read whole for each page, as the server chooses to where there is little."""
_NUMBERS: tuple[type[Any], ...] = (sa.Integer, sa.Boolean)


def is_ours(name: str) -> bool:
    """Whether it is a table in which we keep books, in whatever case: a server may take no notice of that."""
    return name.casefold() in {*metadata.tables, "alembic_version"} - {CUSTOMERS}


def problem(connection: Connection, name: str) -> Sentence | None:
    """Why it can be no audience, by its columns and keys; None where it can."""
    inspector = sa.inspect(connection)
    is_table = name in inspector.get_table_names()
    if not is_table and name not in inspector.get_view_names():
        return Sentence("bad_audience.not_there", audience=name)
    if found := _problem_of_columns(connection, inspector, name):
        return found
    if is_table:
        return None if _has_unique_ids(inspector, name) else Sentence("bad_audience.no_index", audience=name)
    return _problem_of_plan(connection, name)


def _problem_of_columns(connection: Connection, inspector: Inspector, name: str) -> Sentence | None:
    types = {each["name"].lower(): each["type"] for each in inspector.get_columns(name)}
    if missing := [each for each in NEEDED if each not in types]:
        return Sentence("bad_audience.no_column", audience=name, column=missing[0], needed=", ".join(NEEDED))
    if not isinstance(types["id"], sa.Integer):
        return Sentence("bad_audience.not_integer", audience=name, column="id")
    is_sqlite = connection.dialect.name == "sqlite"  # of an expression in a view it knows no type
    if not isinstance(types["gender"], (*_NUMBERS, sa.types.NullType, sa.Numeric) if is_sqlite else _NUMBERS):
        return Sentence("bad_audience.not_integer", audience=name, column="gender")
    for column in ("name", "mobile"):
        if not isinstance(types[column], sa.String):
            return Sentence("bad_audience.not_text", audience=name, column=column)
    return None


def has_unique_ids(connection: Connection, name: str) -> bool:
    """Whether the database itself lets no id stand there twice."""
    inspector = sa.inspect(connection)
    return name in inspector.get_table_names() and _has_unique_ids(inspector, name)


def _has_unique_ids(inspector: Inspector, name: str) -> bool:
    keys: list[Sequence[str | None]] = [inspector.get_pk_constraint(name)["constrained_columns"]]
    keys += [each["column_names"] for each in inspector.get_unique_constraints(name)]
    of_all = (each for each in inspector.get_indexes(name) if "sqlite_where" not in each.get("dialect_options", {}))
    keys += [each["column_names"] for each in of_all if each["unique"]]
    return any([str(column).lower() for column in key] == ["id"] for key in keys)


def lacks_ids(connection: Connection, name: str) -> bool:
    """Whether somebody stands there without an id, as where a view joins what is not everywhere."""
    its_id = table_of(name).c.id
    return connection.execute(sa.select(sa.literal(1)).where(its_id.is_(None)).limit(1)).first() is not None


def repeated_id(connection: Connection, name: str, after_id: int, to_id: int) -> int | None:
    """Of ids with `after_id < id <= to_id` one that stands there more than once, None where none does."""
    its_id = table_of(name).c.id
    query = sa.select(its_id).where(its_id > after_id, its_id <= to_id).group_by(its_id).having(sa.func.count() > 1)
    found: int | None = connection.execute(query.limit(1)).scalar()
    return found


def _problem_of_plan(connection: Connection, name: str) -> Sentence | None:
    """Of a view, whether the server finds a few ids without reading everything, for it is asked so for each page."""
    its_id = table_of(name).c.id
    highest = connection.execute(sa.select(sa.func.max(its_id))).scalar_one() or 0
    query = f"SELECT * FROM {quoted(connection, name)} WHERE id > {highest - 1:d} AND id <= {highest:d}"  # noqa: S608
    try:
        is_found = _is_found_by_sqlite if connection.dialect.name == "sqlite" else _is_found_by_mysql
        return None if is_found(connection, query) else Sentence("bad_audience.no_index", audience=name)
    except DBAPIError as error:
        if error.orig is None or error.orig.args[:1] != (_MAY_NOT_EXPLAIN,):
            raise
        return Sentence("bad_audience.may_not_explain", audience=name)


_MAY_NOT_EXPLAIN = 1345
"""EXPLAIN/SHOW can not be issued; lacking privileges for underlying table."""


def _is_found_by_mysql(connection: Connection, query: str) -> bool:
    # MySQL may be set to explain otherwise; MariaDB has no other way.
    explain = "EXPLAIN" if getattr(connection.dialect, "is_mariadb", False) else "EXPLAIN FORMAT=TRADITIONAL"
    plan = connection.exec_driver_sql(f"{explain} {query}").mappings()
    return not any(each["type"] in {"ALL", "index"} and int(each["rows"] or 0) > FEW_ROWS for each in plan)


def _is_found_by_sqlite(connection: Connection, query: str) -> bool:
    steps = [str(each[3]) for each in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    by_range = any(each.startswith("SEARCH") and ">?" in each for each in steps)
    return by_range or not any(each.startswith("SCAN") for each in steps)
