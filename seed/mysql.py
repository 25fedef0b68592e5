"""Writing customers into MySQL and MariaDB: LOAD DATA LOCAL INFILE, or INSERT where that is forbidden."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.catalogue import say
from seed.customers import Row
from seed.errors import NoTemporaryFile, RowsLost

LOCAL_INFILE_IS_OFF = {1148, 2068, 3948, 4166}
"""Errors that say so: of MySQL 5.7 and older MariaDB, the client library, MySQL 8, MariaDB 10.6."""


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
        # PyMySQL, interrupted in the middle of a packet, says that the file is at its end, which the server takes for
        # the rest of that packet, and both wait for each other.
        with _nameless_file(rows) as path, self._held():
            try:
                kept = self._connection.exec_driver_sql(
                    f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE customers CHARACTER SET utf8mb4"
                    " (id, name, gender, mobile)"
                ).rowcount
            except DBAPIError as error:
                if error.orig is None or error.orig.args[0] not in LOCAL_INFILE_IS_OFF:
                    raise
                self._say(say("seed.no_infile"))
                return False
        # LOCAL turns errors into warnings: a row whose id is taken is dropped, a bad value replaced.
        warnings = self._connection.exec_driver_sql("SELECT @@warning_count").scalar_one()
        if kept != len(rows) or warnings:
            raise RowsLost(len(rows), kept, warnings)
        return True


@contextmanager
def _nameless_file(rows: list[Row]) -> Iterator[str]:
    """A path to `rows` as LOAD DATA reads them, about 1.5 MB, in a file that is ours alone.

    The file is in no folder, so nothing is left of it however we die.
    """
    lines = "".join(
        f"{id_}\t{name}\t{null if gender is None else gender}\t{mobile}\n"
        for null in ["\\N"]
        for id_, name, gender, mobile in rows
    )
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(lines.encode())
            file.seek(0)
        except OSError as error:
            raise NoTemporaryFile("seed_no_file", why=error) from error
        yield f"/dev/fd/{file.fileno()}"
