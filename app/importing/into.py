"""Puts rows into a table: a new one, one in the place of another, or more into one that is there. All of them or none.

A table that is new is filled beside, under a name that no audience can have, and gets its own in one statement. More
rows are one transaction. Killed at any moment, the table is as it was; the next import removes what is left beside.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.domain.audience import CUSTOMERS, check_audience_name
from app.errors import AppError, BadRequest, ImportRefused
from app.importing.columns import Columns
from app.importing.rows import Row
from app.store import audiences, bulk_load, campaigns, customers
from app.store.customers import quoted

WRITTEN_AT_ONCE = 50_000
"""Rows in one LOAD DATA."""
LONGEST_NAME = 60
"""Four letters are for what stands beside."""


class How(StrEnum):
    """What is to become of a table that is there."""

    NEW = "new"
    REPLACE = "replace"
    APPEND = "append"


class Target:
    """The table of an audience, as somebody wants to fill it. To make one raises BadRequest and ImportRefused."""

    def __init__(self, connection: Connection, name: str, how: How, columns: Columns) -> None:
        self._connection = connection
        self._name = check_audience_name(name)
        self._how = how
        self._columns = ["id", "name", "gender", "mobile", *columns.others]
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._may_load = not self._is_sqlite
        self._count = 0
        self._lock()
        self.is_there = self._look()

    def first_id(self) -> int:
        """The first that can be given out."""
        if self._how is How.APPEND:
            return customers.max_id(self._connection, self._name) + 1
        return 1

    def fill(self, pages: Iterable[list[Row]]) -> int:
        """Write all rows; how many there were. Raises ImportRefused, and nothing is changed then."""
        beside = self._begin()
        try:
            for rows in _joined(pages):
                self._write(beside, rows)
            if not self._count:
                raise ImportRefused("import_refused.empty", audience=self._name)
            self._end(beside)
        except (AppError, KeyboardInterrupt):
            self._connection.rollback()
            if self._how is not How.APPEND and not self._is_sqlite:
                self._execute(f"DROP TABLE IF EXISTS {beside}")
            raise
        return self._count

    def _lock(self) -> None:
        connection = self._connection
        if self._is_sqlite:
            return  # the transaction is one
        connection.detach()  # closing it then ends the session, and with that the lock
        lock = f"import {connection.engine.url.database} {self._name}"[:64]
        if not connection.exec_driver_sql("SELECT GET_LOCK(%s, 0)", (lock,)).scalar():
            raise ImportRefused("import_refused.another", audience=self._name)

    def _look(self) -> bool:
        inspector = sa.inspect(self._connection)
        name, how = self._name, self._how
        if audiences.is_ours(name):
            raise BadRequest("bad_audience.ours", audience=name)
        if len(name) > LONGEST_NAME or name in inspector.get_view_names():
            raise ImportRefused("import_refused.name", audience=name, most=LONGEST_NAME)
        is_there = name in inspector.get_table_names()
        if is_there and how is How.NEW:
            raise ImportRefused("import_refused.there", audience=name)
        if how is How.REPLACE and name == CUSTOMERS:
            raise ImportRefused("import_refused.customers", audience=name)
        if not is_there and how is How.APPEND:
            raise BadRequest("bad_audience.not_there", audience=name)
        if how is How.APPEND:
            if wrong := audiences.problem(self._connection, name):
                raise BadRequest(wrong.code, **wrong.facts)
            known = {each["name"].lower() for each in inspector.get_columns(name)}
            if strange := [each for each in self._columns if each.lower() not in known]:
                raise ImportRefused("import_refused.column", audience=name, column=strange[0])
        return is_there

    def _check_unused(self) -> None:
        if self._how is How.REPLACE and self._name in campaigns.audiences_under_way(self._connection):
            raise ImportRefused("import_refused.under_way", audience=self._name)

    def _begin(self) -> str:
        """The table to write to, quoted."""
        self._check_unused()
        if self._how is How.APPEND:
            return quoted(self._connection, self._name)
        if self._is_sqlite:  # nobody else sees anything before the commit
            beside = quoted(self._connection, self._name)
            self._execute(f"DROP TABLE IF EXISTS {beside}")
        else:
            beside = quoted(self._connection, f"{self._name}~new")
            self._execute(f"DROP TABLE IF EXISTS {beside}, {quoted(self._connection, f'{self._name}~old')}")
        self._execute(f"CREATE TABLE {beside} ({self._definition()})")
        return beside

    def _definition(self) -> str:
        id_type, others = ("INTEGER", "") if self._is_sqlite else ("INT UNSIGNED", " CHARACTER SET utf8mb4")
        columns = [
            f"id {id_type} NOT NULL PRIMARY KEY",
            f"name VARCHAR(64){others} NOT NULL",
            "gender SMALLINT NULL CHECK (gender IN (0, 1))",
            f"mobile VARCHAR(20){others} NOT NULL",
            *(f"{quoted(self._connection, each)} VARCHAR(255){others} NOT NULL" for each in self._columns[4:]),
        ]
        return ", ".join([*columns, "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"])

    def _write(self, table: str, rows: list[Row]) -> None:
        self._count += len(rows)
        if not rows or (self._may_load and self._load(table, rows)):
            return
        names = ", ".join(quoted(self._connection, each) for each in self._columns)
        marks = ", ".join(["?" if self._is_sqlite else "%s"] * len(self._columns))
        values = [(int(row[0]), row[1], int(row[2]) if row[2] else None, *row[3:]) for row in rows]
        try:
            insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            self._connection.exec_driver_sql(insert, values)
        except sa.exc.IntegrityError as error:
            raise ImportRefused("import_refused.rows", audience=self._name) from error

    def _load(self, table: str, rows: list[Row]) -> bool:
        others = "".join(f", {quoted(self._connection, each)}" for each in self._columns[4:])
        into = f"{table} CHARACTER SET utf8mb4 (id, name, @gender, mobile{others}) SET gender = NULLIF(@gender, '')"
        with ThreadPoolExecutor(1) as thread:  # which Ctrl-C does not interrupt; it waits for that at the end
            loaded = thread.submit(bulk_load.load, self._connection, into, bulk_load.as_lines(rows)).result()
        if loaded is None:
            self._may_load = False
            return False
        if loaded != (len(rows), 0):
            raise ImportRefused("import_refused.rows", audience=self._name)
        return True

    def _end(self, beside: str) -> None:
        connection = self._connection
        if self._how is How.APPEND or self._is_sqlite:
            connection.commit()
            return
        connection.commit()  # what is beside is whole
        self._check_unused()
        name, old = quoted(connection, self._name), quoted(connection, f"{self._name}~old")
        if self.is_there:
            self._execute(f"RENAME TABLE {name} TO {old}, {beside} TO {name}")
            self._execute(f"DROP TABLE {old}")
        else:
            self._execute(f"RENAME TABLE {beside} TO {name}")

    def _execute(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)


def _joined(pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """The same rows, as many at a time as the database is to get."""
    rows: list[Row] = []
    for page in pages:
        rows += page
        if len(rows) >= WRITTEN_AT_ONCE:
            yield rows
            rows = []
    yield rows


def fill(database: Engine, name: str, how: How, columns: Columns, pages: Callable[[int], Iterable[list[Row]]]) -> int:
    """How many rows came in. `pages(first_id)` gives them, ids from there on where the file has none."""
    with database.connect().execution_options(writes=True) as connection:
        target = Target(connection, name, how, columns)
        return target.fill(pages(target.first_id()))
