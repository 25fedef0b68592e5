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
from app.doctor import audiences, durability, fleet, genders
from app.doctor.finding import Finding, Verdict, ok, problem, warning
from app.domain.audience import CUSTOMERS
from app.errors import AppError
from app.sentence import Sentence
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

    def examine(self, schema_status: SchemaStatus, *, reads_customers: bool = True) -> Iterator[Finding]:
        """Ends after the first finding when the database cannot be reached."""
        address = make_url(self._settings.database_url.get_secret_value())
        path = sqlite_file(address) if address.get_backend_name() == "sqlite" else None
        if path and not path.exists():
            yield problem("database", Sentence("doctor.no_file", path=path), Sentence("advice.migrate_or_correct"))
            return
        try:
            database = open_configured(self._settings)
            try:
                with database.connect() as connection:
                    yield ok(
                        "database", Sentence("doctor.answers", kind=address.get_backend_name(), where=where(address))
                    )
                    if path and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                        yield warning(
                            "database", Sentence("doctor.open", path=path), Sentence("advice.close_file", path=path)
                        )
                    if connection.dialect.name != "sqlite":
                        yield from _examine_server(connection)
                    schema = _examine_schema(connection, schema_status)
                    yield schema
                    if schema.verdict is Verdict.OK:
                        if reads_customers:
                            self.size = _size(connection)
                            yield genders.examine(connection)
                        yield from audiences.examine(connection)
                        if self._settings.sms_runner == "celery":
                            yield from fleet.examine_hosts(connection)
                            if connection.dialect.name != "sqlite":
                                yield from fleet.examine_connections(connection)
            finally:
                database.dispose()
        except DBAPIError as error:
            yield problem("database", *trouble(error, self._settings.database_url.get_secret_value()))
        except (AppError, TypeError) as error:  # TypeError: an option in the URL that the driver has not
            yield problem(
                "database", Sentence("doctor.at", where=where(address), why=error), Sentence("advice.correct_url")
            )


def _examine_server(connection: Connection) -> Iterator[Finding]:
    yield _examine_version(connection)
    yield _examine_charset(connection)
    if _variable(connection, "local_infile"):
        yield ok("local_infile", Sentence("doctor.infile"))
    else:
        yield warning("local_infile", Sentence("doctor.no_infile"), Sentence("advice.infile"))
    packet_bytes = _variable(connection, "max_allowed_packet")
    if packet_bytes >= PACKED_PAGE_BYTES:
        yield ok("packets", Sentence("doctor.packets", size=packet_bytes))
    else:
        yield warning(
            "packets",
            Sentence("doctor.packets_small", size=packet_bytes),
            Sentence("advice.packets", size=PACKED_PAGE_BYTES),
        )
    apart_s = (connection.execute(sa.text("SELECT UTC_TIMESTAMP(6)")).scalar_one() - _utc_now()).total_seconds()
    if abs(apart_s) <= MOST_SECONDS_APART:
        yield ok("clock", Sentence("doctor.clocks_agree"))
    else:
        yield warning("clock", Sentence("doctor.clocks_differ", seconds=apart_s), Sentence("advice.one_clock"))
    yield from durability.examine(connection)


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _variable(connection: Connection, name: str) -> int:
    return int(connection.execute(sa.text(f"SELECT @@GLOBAL.{name}")).scalar_one())


def _examine_version(connection: Connection) -> Finding:
    kind = "MariaDB" if getattr(connection.dialect, "is_mariadb", False) else "MySQL"
    text = str(connection.execute(sa.text("SELECT VERSION()")).scalar_one())
    version, oldest = connection.dialect.server_version_info or (), OLDEST[kind]
    if tuple(version[:2]) >= oldest:
        return ok("version", Sentence("doctor.version", kind=kind, version=text))
    advice = Sentence("advice.version", oldest=".".join(map(str, oldest)))
    return warning("version", Sentence("doctor.version", kind=kind, version=text), advice)


def _examine_charset(connection: Connection) -> Finding:
    schema = str(connection.execute(sa.text("SELECT @@character_set_database")).scalar_one())
    query = sa.text(
        "SELECT table_name, column_name, character_set_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND character_set_name NOT IN ('utf8mb4', 'ascii')"
    )
    ours = set(metadata.tables)
    names = ("table", "column", "charset")
    others = [dict(zip(names, row, strict=True)) for row in connection.execute(query) if row[0] in ours]
    if others:
        return problem(
            "charset", Sentence("doctor.charset", **others[0]), Sentence("advice.charset", table=others[0]["table"])
        )
    if schema != "utf8mb4":
        return warning("charset", Sentence("doctor.charset_of_new", charset=schema), Sentence("advice.charset_of_new"))
    return ok("charset", Sentence("plain", text=schema))


def _examine_schema(connection: Connection, schema_status: SchemaStatus) -> Finding:
    try:
        current, head = schema_status(connection)
    except AppError as error:
        return problem("schema", error.sentence, Sentence("advice.newer"))
    if current == head:
        return ok("schema", Sentence("doctor.schema", head=head))
    found = Sentence("doctor.schema_old", current=current or "base", head=head)
    return problem("schema", found, Sentence("advice.migrate"))


def _size(connection: Connection) -> Size:
    sums = sa.select(sa.func.sum(shards.c.log_bytes), sa.func.sum(shards.c.sent))
    log_bytes, sent = connection.execute(sums).one()
    heads = customers.count(connection, CUSTOMERS, 0, customers.max_id(connection, CUSTOMERS))
    return Size(heads, float(log_bytes / sent) if sent else USUAL_MESSAGE_BYTES)
