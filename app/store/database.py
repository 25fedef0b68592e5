"""Opens the database, the same way for every program of ours."""

import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import NoSuchModuleError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.pool import PoolProxiedConnection, QueuePool
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from app.config import Config, DatabaseTls
from app.errors import DatabaseUnavailable
from app.store.clock import LEASE_S
from app.store.database_tls import refuse_plain, tls_options
from app.store.patience import Patience, apply

PACKED_PAGE_BYTES = 8 * 2**20
"""Longest GROUP_CONCAT we ask for: a page of customers.py with the longest names and mobiles has half of it."""
MOST_CONNECTIONS = 12
"""At once, of one process: no fewer than an event worker has threads for the database, so that none waits for one."""
KEPT_CONNECTIONS = 4
"""Those of them that stay open while nobody uses them."""
LONG_S = 3_600
"""What one statement of a command may take, such as a count of very many customers or a change of a large table."""
SQLITE_WAIT_S = 30
"""How long a statement waits for another program that writes to the same SQLite file."""


READ_ONLY = frozenset([1290, 1792, 1836])
"""What a server says that is not to be written to: its option, the transaction, its mode.
Source: MySQL 9 server error message reference; MariaDB has the same numbers."""

_opened: WeakSet[Engine] = WeakSet()


class _Connections(QueuePool):
    """Who waits for one in vain is told as by a database that is away: it passes, and whoever tries again then does."""

    __module__ = QueuePool.__module__  # under which it logs, and app/log_lines.py knows what it has to say

    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except NoneFree as error:
            raise OperationalError(None, None, error) from error


def _forget_connections() -> None:
    for database in _opened:
        database.dispose(close=False)


# A connection that two processes have would mix up their statements. A child begins without any.
os.register_at_fork(after_in_child=_forget_connections)


def open_configured(
    settings: Config,
    *,
    local_infile: bool = False,
    patience: Patience | None = None,
    most_connections: int = MOST_CONNECTIONS,
) -> Engine:
    """The database that the settings name; see `open_database`."""
    return open_database(
        settings.database_url.get_secret_value(),
        tls=settings.tls_of_database,
        tls_ca=settings.database_tls_ca,
        time_zone=settings.sms_time_zone,
        lease_s=settings.sms_lease_s,
        host=settings.host_id,
        local_infile=local_infile,
        patience=patience,
        most_connections=most_connections,
    )


def open_database(
    url: str,
    *,
    tls: DatabaseTls = "preferred",
    tls_ca: Path | None = None,
    time_zone: str = "UTC",
    lease_s: float = LEASE_S,
    host: str = "",
    local_infile: bool = False,
    patience: Patience | None = None,
    most_connections: int = MOST_CONNECTIONS,
) -> Engine:
    """An engine for `url`; connects at first use. A process that is forked from ours gets none of its connections.

    `time_zone` is the one in which customers.py shows moments; see `zone_of`. `lease_s`: see clock.py. `host` is
    what ours is called, see `host_of`. `local_infile` lets the server ask for a file of ours, which LOAD DATA LOCAL
    needs. This and `tls` are for MySQL. `patience` is how long a server may say nothing, an hour by default; for SQLite
    it is SQLITE_WAIT_S. Who finds `most_connections` in use waits up to 30 s for one, and gets an OperationalError.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        database = _open_sqlite(address, most_connections)
    else:
        database = _open_mysql(
            address, tls, tls_ca, local_infile, patience or Patience(LONG_S, LONG_S), most_connections
        )
    ours = host or socket.gethostname()[:64]
    database.update_execution_options(time_zone=ZoneInfo(time_zone), lease_s=lease_s, host=ours)
    event.listen(database, "handle_error", _forget_statement)
    _opened.add(database)
    return database


def host_of(database: Connection | Engine) -> str:
    """What people call the host that we are on."""
    return str(database.get_execution_options()["host"])


def zone_of(connection: Connection) -> ZoneInfo:
    """The zone in which moments are shown. The database itself speaks of UTC in all our sessions."""
    zone = connection.get_execution_options().get("time_zone")
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


def _open_mysql(
    address: URL, tls: DatabaseTls, tls_ca: Path | None, local_infile: bool, patience: Patience, most_connections: int
) -> Engine:
    try:
        options: dict[str, Any] = {
            **tls_options(address.get_driver_name(), tls, tls_ca),
            "charset": "utf8mb4",
            "init_command": f"SET SESSION group_concat_max_len = {PACKED_PAGE_BYTES}, time_zone = '+00:00'"
            f", SESSION wait_timeout = {patience.idle_s}",
        }
        if local_infile:
            options["local_infile"] = 1
        engine = create_engine(
            address,
            connect_args=options,
            pool_pre_ping=True,
            **_pool(most_connections),
            hide_parameters=True,  # an error's text goes into logs, and values are customers and messages
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise DatabaseUnavailable("database.no_driver", driver=address.drivername, why=error) from error
    apply(patience, engine)
    event.listen(engine, "handle_error", _leave_read_only)
    if engine.driver == "pymysql":
        from app.store.pymysql_connection import connect  # noqa: PLC0415  takes 0.1 s, which SQLite need not pay

        event.listen(engine, "do_connect", connect)
    elif tls != "preferred":
        event.listen(engine, "connect", refuse_plain)
    return engine


def _leave_read_only(context: ExceptionContext) -> None:
    """After a failover a name leads to another server, and who is connected to the old one stays so, as long as that
    answers. So nobody keeps a connection to a server that is read-only."""
    if context.original_exception.args and context.original_exception.args[0] in READ_ONLY:
        context.is_disconnect = True


def _forget_statement(context: ExceptionContext) -> None:
    """An error's text goes into logs and reports, and where a statement is written out, for the driver is slow to bind
    many values, mobiles stand in it. The traceback says which statement it was."""
    if isinstance(error := context.sqlalchemy_exception, StatementError):
        error.statement = None


def _pool(most_connections: int) -> dict[str, Any]:
    kept = min(KEPT_CONNECTIONS, most_connections)
    return {"poolclass": _Connections, "pool_size": kept, "max_overflow": most_connections - kept}


def _open_sqlite(address: URL, most_connections: int) -> Engine:
    pool = _pool(most_connections) if sqlite_file(address) else {}
    engine = create_engine(address, connect_args={"timeout": SQLITE_WAIT_S}, hide_parameters=True, **pool)

    @event.listens_for(engine, "do_connect")
    def _make(*_: object) -> None:
        if path := sqlite_file(address):
            _make_private(path)

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, see below
        _use_wal(connection)
        # A trigger, pause or page that was accepted is to be there after a power cut, too; in WAL, NORMAL does not
        # promise it. A campaign has a commit for 15,000 customers, so it costs nothing.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A read that turns into a write can fail at once under WAL; taking the write lock first waits its turn.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def sqlite_file(address: URL) -> Path | None:
    """The file of an SQLite database, None for one in memory and for SQLite's own addresses (file:…)."""
    name = address.database or ":memory:"
    return None if name == ":memory:" or name.startswith("file:") else Path(name).absolute()


def _make_private(path: Path) -> None:
    """Make the file where it is not there. It holds customers, so it is closed to others, and so are the files that
    SQLite puts beside it, which take its mode."""
    if path.exists():
        return
    if not path.parent.exists():  # more likely a slip of the pen than a wish
        raise DatabaseUnavailable("database.no_folder", folder=path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseUnavailable("database.no_file", why=error) from error


def keep_alive(database: Engine) -> None:
    """Say a word over every connection that nobody uses now, before the server closes it for its silence: to open
    another one takes ten times as long as a statement, and who asks next would wait for it. Raises what the database
    raises."""
    if database.dialect.name == "sqlite" or not isinstance(database.pool, QueuePool):
        return
    for _ in range(database.pool.checkedin()):  # who waited longest comes first
        database.connect().close()


def fetch(connection: Connection, statement: str, values: tuple[int, ...] = ()) -> list[Any]:
    """The rows as the driver's own tuples: a campaign reads every customer, and row objects would double the cost."""
    return list(connection.exec_driver_sql(statement, values).cursor.fetchall())


def fetch_packed(connection: Connection, statement: str, values: tuple[int, ...] = ()) -> tuple[Any, ...] | None:
    """The one row of a statement with GROUP_CONCAT; None when the server cut a list off, as at group_concat_max_len:
    it warns of nothing else. SQLite cuts nothing."""
    cursor = connection.exec_driver_sql(statement, values).cursor
    (row,) = cursor.fetchall()
    return None if _warned(connection, cursor) else tuple(row)


def _warned(connection: Connection, cursor: Any) -> bool:
    if connection.dialect.name == "sqlite":
        return False
    if (count := getattr(cursor, "warning_count", None)) is None:  # mysqlclient 2.2 does not hand it on
        count = connection.exec_driver_sql("SELECT @@warning_count").scalar_one()
    return bool(count)


def sqlite_code(error: BaseException | None) -> int:
    """SQLite's primary result code, such as SQLITE_BUSY, without the detail that the extended one adds; 0 for none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_sqlite_busy(error: BaseException | None) -> bool:
    """Whether SQLite says that another connection has the lock."""
    return sqlite_code(error) == sqlite3.SQLITE_BUSY


# The one statement that does not wait by itself: two that turn a new file to WAL at once would be in a deadlock.
@retry(
    retry=retry_if_exception(is_sqlite_busy),
    stop=stop_after_delay(SQLITE_WAIT_S),
    wait=wait_random(0.01, 0.05),
    reraise=True,
)
def _use_wal(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def by_index(connection: Connection, index: str) -> str:
    """Behind a table's name: look rows up by this index. A table that grows by thousands of rows a second is known to
    MySQL as it was some seconds ago, so that it rather reads all of it than look up some hundreds."""
    return "" if connection.dialect.name == "sqlite" else f" FORCE INDEX ({index})"


def insert_new(connection: Connection, table: sa.Table, **values: object) -> bool:
    """Whether it is new; somebody else may have been quicker. No savepoint is needed, which a deadlock would take away
    together with the reason to begin again."""
    return connection.execute(_insert_unless_there(table).values(**values)).rowcount == 1


def insert_all_new(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> int:
    """How many of the rows are new; see `insert_new`. There is one at least; no value is an expression."""
    return connection.execute(_insert_unless_there(table), rows).rowcount


def _insert_unless_there(table: sa.Table) -> sa.Insert:
    statement = table.insert().prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")
    return statement.prefix_with("OR IGNORE", dialect="sqlite")


def read_committed(connection: Connection) -> None:
    """Let this transaction, which has done nothing yet, see at each statement what is committed by then, and hold the
    rows that it finds and not what lies between them. SQLite lets one at a time write, so there is nothing to do."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


@contextmanager
def writing(database: Engine) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, rolled back when something is raised."""
    with database.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection
