"""Schemas with the newest tables that tests use one after the other: to empty one costs a tenth of making it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError

from app.store.database import open_database
from tests.databases import Server
from tests.tables import give_tables
from tests.waiting import until

MANY_ROWS = 1000
"""A table with more of them is made anew, which is quicker than to delete them."""
_COUNTED = re.compile(r" AUTO_INCREMENT=\d+")
Tables = dict[str, str]


class Reused:
    """Those of one server, of one process of tests; they go with the `with`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._all = ExitStack()
        self._free: list[_Schema] = []

    def __enter__(self) -> "Reused":
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The address of one whose tables are empty. What cannot be made as it was is not used again."""
        one = self._free.pop() if self._free else self._made()
        yield one.url
        if one.is_emptied():
            self._free.append(one)

    def _made(self) -> "_Schema":
        url = self._all.enter_context(self._server.schema())
        engine = open_database(url)
        give_tables(engine)
        engine.dispose()
        return _Schema(self._server.connections(), url)


class _Schema:
    def __init__(self, admin: Engine, url: str) -> None:
        self.url = url
        self._admin = admin
        self._name = make_url(url).database or ""
        with self._used() as connection:
            self._made = _tables(connection)
            self._revision = _revision(connection)

    @contextmanager
    def _used(self) -> Iterator[Connection]:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"USE {self._name}")
            yield connection

    def is_emptied(self) -> bool:
        """Empty it; False when its tables are others than at first, or somebody will not let go of them."""
        try:
            with self._used() as connection:
                connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 10, lock_wait_timeout = 10")
                until(lambda: not self._guests(connection), within_s=10, what="nobody is connected")
                now = _tables(connection)
                if _without_counters(now) != _without_counters(self._made) or _revision(connection) != self._revision:
                    return False
                _empty(connection, now)
                return True
        except (DBAPIError, AssertionError):
            return False

    def _guests(self, connection: Connection) -> int:
        """Sessions of others that are in it: those of killed processes end a moment later, with what they last said."""
        query = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = :name AND id <> connection_id()"
        return int(connection.execute(sa.text(query), {"name": self._name}).scalar_one())


def _tables(connection: Connection) -> Tables:
    names = [name for (name,) in connection.exec_driver_sql("SHOW TABLES")]
    made = {name: str(connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1]) for name in names}
    return made | {f"trigger {name}": "" for name, *_ in connection.exec_driver_sql("SHOW TRIGGERS")}


def _without_counters(tables: Tables) -> Tables:
    return {name: _COUNTED.sub("", made) for name, made in tables.items()}


def _revision(connection: Connection) -> list[str]:
    return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def _empty(connection: Connection, tables: Tables) -> None:
    names = sorted(tables.keys() - {"alembic_version"})
    some = [f"(SELECT '{name}', COUNT(*) FROM (SELECT 1 FROM {name} LIMIT {MANY_ROWS}) some)" for name in names]
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for name, count in connection.exec_driver_sql(" UNION ALL ".join(some)).all():
        if count == MANY_ROWS:
            connection.exec_driver_sql(f"TRUNCATE TABLE {name}")
            continue
        if count:
            connection.exec_driver_sql(f"DELETE FROM {name}")
        if _COUNTED.search(tables[name]):
            connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = 1")
    connection.exec_driver_sql("SET foreign_key_checks = 1")
    connection.commit()
