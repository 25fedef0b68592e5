"""Writing customers into MySQL and MariaDB: LOAD DATA LOCAL INFILE, or INSERT where that is forbidden."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from app.catalogue import say
from app.store import bulk_load
from seed.customers import Row
from seed.errors import RowsLost

_COLUMNS = "customers CHARACTER SET utf8mb4 (id, name, gender, mobile)"


class MySQLStore:
    """A named lock keeps other seeds out; the server drops it with the session, after its rollback."""

    clears_for_good = True

    def __init__(
        self,
        connection: Connection,
        say: Callable[[str], None],
        check: Callable[[], None],
        held: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._say = say
        self._check = check
        self._held = held
        self._may_load = True

    def enter(self) -> None:
        # By default a statement waits a year for whoever reads the table, as TRUNCATE would.
        self._connection.exec_driver_sql("SET SESSION lock_wait_timeout = 60")
        # Names belong to the server, not to a schema, and end at 64 characters; of two schemas whose
        # names differ only after that, one waits for the other.
        name = f"seed {self._connection.engine.url.database}"[:64]
        if not self._take(name, wait_s=0):
            self._say(say("seed.waiting"))
            while not self._take(name, wait_s=1):
                self._check()
        self._connection.rollback()

    def begin(self) -> None:
        self._connection.begin()

    def clear(self) -> None:
        # Not DELETE, which takes longer than writing did. It commits: the table is empty from here.
        self._connection.exec_driver_sql("TRUNCATE TABLE customers")

    def write(self, rows: list[Row]) -> None:
        self._may_load = self._may_load and self._load(rows)
        if not self._may_load:
            self._connection.exec_driver_sql(
                "INSERT INTO customers (id, name, gender, mobile) VALUES (%s, %s, %s, %s)", list(rows)
            )

    def _take(self, name: str, wait_s: int) -> bool:
        return bool(self._connection.exec_driver_sql("SELECT GET_LOCK(%s, %s)", (name, wait_s)).scalar())

    def _load(self, rows: list[Row]) -> bool:
        """False when it is forbidden; nothing is written then."""
        with self._held():
            loaded = bulk_load.load(self._connection, _COLUMNS, _lines(rows))
        if loaded is None:
            self._say(say("seed.no_infile"))
            return False
        kept, warnings = loaded
        if kept != len(rows) or warnings:
            raise RowsLost(len(rows), kept, warnings)
        return True


def _lines(rows: list[Row]) -> str:
    """As LOAD DATA reads them, about 1.5 MB. Nothing in them has to be escaped."""
    return "".join(
        f"{id_}\t{name}\t{null if gender is None else gender}\t{mobile}\n"
        for null in ["\\N"]
        for id_, name, gender, mobile in rows
    )
