"""Examines the database: whether it answers, what it is, how it is set up, and whether its tables are ours."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.config import Config
from app.doctor import genders
from app.doctor.finding import Finding, Verdict, ok, problem, warning
from app.errors import AppError
from app.store import customers
from app.store.database import PACKED_PAGE_BYTES, open_configured, sqlite_file
from app.store.tables import metadata, shards
from app.store.trouble import trouble, where

SchemaStatus = Callable[[Connection], tuple[str, str]]
"""The revision that a database has, '' without one, and the newest."""

OLDEST = {"MySQL": (8, 4), "MariaDB": (10, 11)}
"""The oldest versions that we test with."""
MOST_SECONDS_APART = 2.0
USUAL_MESSAGE_BYTES = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How much a campaign to everybody would write."""

    customers: int
    message_bytes: float


class Database:
    """The database that the settings name, examined once."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self.size: Size | None = None
        """None until it is known."""

    def examine(self, schema_status: SchemaStatus) -> Iterator[Finding]:
        """Ends after the first finding when the database cannot be reached."""
        address = make_url(self._settings.database_url.get_secret_value())
        path = sqlite_file(address) if address.get_backend_name() == "sqlite" else None
        if path and not path.exists():
            yield problem("database", f"there is no file {path}", "run: python -m migrations, or correct DATABASE_URL")
            return
        try:
            database = open_configured(self._settings)
            try:
                with database.connect() as connection:
                    yield ok("database", f"{address.get_backend_name()} answers, {where(address)}")
                    if path and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                        yield warning("database", f"{path} can be read by others", f"run: chmod go= {path}*")
                    if connection.dialect.name != "sqlite":
                        yield from _examine_server(connection)
                    schema = _examine_schema(connection, schema_status)
                    yield schema
                    if schema.verdict is Verdict.OK:
                        self.size = _size(connection)
                        yield genders.examine(connection)
            finally:
                database.dispose()
        except DBAPIError as error:
            yield problem("database", *trouble(error, self._settings.database_url.get_secret_value()))
        except (AppError, TypeError) as error:  # TypeError: an option in the URL that the driver has not
            yield problem("database", f"{where(address)}: {error}", "correct DATABASE_URL")


def _examine_server(connection: Connection) -> Iterator[Finding]:
    yield _examine_version(connection)
    yield _examine_charset(connection)
    if _variable(connection, "local_infile"):
        yield ok("local_infile", "on")
    else:
        yield warning("local_infile", "off, the seed inserts its rows more slowly", "SET GLOBAL local_infile = ON")
    packet_bytes = _variable(connection, "max_allowed_packet")
    if packet_bytes >= PACKED_PAGE_BYTES:
        yield ok("packets", f"max_allowed_packet is {packet_bytes:,}")
    else:
        yield warning(
            "packets",
            f"max_allowed_packet is {packet_bytes:,}, pages are read more slowly",
            f"SET GLOBAL max_allowed_packet = {PACKED_PAGE_BYTES}",
        )
    apart_s = (connection.execute(sa.text("SELECT UTC_TIMESTAMP(6)")).scalar_one() - _utc_now()).total_seconds()
    if abs(apart_s) <= MOST_SECONDS_APART:
        yield ok("clock", "the database's and ours agree")
    else:
        yield warning("clock", f"the database's is {apart_s:+.0f} s from ours", "let both follow one NTP server")


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _variable(connection: Connection, name: str) -> int:
    return int(connection.execute(sa.text(f"SELECT @@GLOBAL.{name}")).scalar_one())


def _examine_version(connection: Connection) -> Finding:
    kind = "MariaDB" if getattr(connection.dialect, "is_mariadb", False) else "MySQL"
    text = str(connection.execute(sa.text("SELECT VERSION()")).scalar_one())
    version, oldest = connection.dialect.server_version_info or (), OLDEST[kind]
    if tuple(version[:2]) >= oldest:
        return ok("version", f"{kind} {text}")
    return warning("version", f"{kind} {text}", f"we test with {'.'.join(map(str, oldest))} and newer")


def _examine_charset(connection: Connection) -> Finding:
    schema = str(connection.execute(sa.text("SELECT @@character_set_database")).scalar_one())
    query = sa.text(
        "SELECT table_name, column_name, character_set_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND character_set_name NOT IN ('utf8mb4', 'ascii')"
    )
    ours = set(metadata.tables)
    others = [f"{table}.{column} is {charset}" for table, column, charset in connection.execute(query) if table in ours]
    if others:
        table = others[0].partition(".")[0]
        advice = f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4"
        return problem("charset", f"{others[0]}, which holds not every name", advice)
    if schema != "utf8mb4":
        return warning("charset", f"new tables would be {schema}", "ALTER DATABASE CHARACTER SET utf8mb4")
    return ok("charset", schema)


def _examine_schema(connection: Connection, schema_status: SchemaStatus) -> Finding:
    try:
        current, head = schema_status(connection)
    except AppError as error:
        return problem("schema", str(error), "use the newer version of this program")
    if current == head:
        return ok("schema", f"at {head}, the newest")
    return problem("schema", f"at {current or 'base'}, the newest is {head}", "run: python -m migrations")


def _size(connection: Connection) -> Size:
    sums = sa.select(sa.func.sum(shards.c.log_bytes), sa.func.sum(shards.c.sent))
    log_bytes, sent = connection.execute(sums).one()
    heads = customers.count(connection, 0, customers.max_id(connection))
    return Size(heads, float(log_bytes / sent) if sent else USUAL_MESSAGE_BYTES)
