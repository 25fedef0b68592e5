"""Writing customers into SQLite."""

from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from app.catalogue import say
from app.store.database import is_sqlite_busy
from seed.customers import Row

POLL_MS = 500
"""Longest time that SQLite waits for a lock before we look for Ctrl-C again."""


class SQLiteStore:
    """The write lock is taken before the first look, so that whoever comes second waits."""

    clears_for_good = False

    def __init__(self, connection: Connection, say: Callable[[str], None], check: Callable[[], None]) -> None:
        self._connection = connection
        self._say = say
        self._check = check

    def enter(self) -> None:
        self._connection.connection.cursor().execute(f"PRAGMA busy_timeout = {POLL_MS}")
        self.begin()

    def begin(self) -> None:
        if self._try_to_begin():
            return
        self._say(say("seed.waiting_for_file"))
        while not self._try_to_begin():
            self._check()  # each try waits POLL_MS

    def clear(self) -> None:
        self._connection.exec_driver_sql("DELETE FROM customers")

    def write(self, rows: list[Row]) -> None:
        self._connection.exec_driver_sql(
            "INSERT INTO customers (id, name, gender, mobile) VALUES (?, ?, ?, ?)", list(rows)
        )

    def _try_to_begin(self) -> bool:
        try:
            self._connection.begin()
        except OperationalError as error:
            if not is_sqlite_busy(error.orig):
                raise
            return False
        return True
