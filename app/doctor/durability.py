"""Examines whether the database keeps what it says is committed: when the power goes, and when a replica is promoted.

Everything that we promise rests on that: an intent that is forgotten is a message that is sent twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.doctor.finding import Finding, ok, warning
from app.sentence import Sentence

AT_EACH_COMMIT = "1"
LONGEST_S = 3_600.0
"""A server that waits for its replica so long is taken to wait for ever."""
LOSSLESS = "AFTER_SYNC"


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself, names in small letters."""

    variables: Mapping[str, str]
    status: Mapping[str, str]
    followers: int
    """How many replicas were seen: an account without the right PROCESS sees none."""

    def variable(self, end: str) -> tuple[str, str]:
        """Of semi-synchronous replication, on the side of who is followed: its whole name and its value, '' where there
        is none. It is `source` in MySQL now, and `master` elsewhere."""
        return next(((name, value) for name, value in self.variables.items() if _is_of_source(name, end)), ("", ""))

    @property
    def waits_now(self) -> bool:
        """Whether its commits wait for a replica now: it goes on without one that is silent for too long."""
        return any(_is_of_source(name, "status") and value == "ON" for name, value in self.status.items())

    @property
    def replicas(self) -> int:
        """How many there are, as far as can be seen."""
        clients = [int(value) for name, value in self.status.items() if _is_of_source(name, "clients")]
        return max([self.followers, *clients])


def _is_of_source(name: str, end: str) -> bool:
    return name in {f"rpl_semi_sync_source_{end}", f"rpl_semi_sync_master_{end}"}


def examine(connection: Connection) -> Iterator[Finding]:
    """Of a server, not of SQLite. Nothing is said of replicas where none can be seen."""
    yield from judge(_ask(connection))


def judge(server: Server) -> Iterator[Finding]:
    """Pure."""
    wanted = ["innodb_flush_log_at_trx_commit"]
    if server.variables.get("log_bin") == "ON":
        wanted.append("sync_binlog")
    loose = [name for name in wanted if server.variables.get(name) != AT_EACH_COMMIT]
    for name in loose:
        said = Sentence("doctor.not_durable", name=name, value=server.variables.get(name, ""))
        yield warning("durability", said, Sentence("advice.set_in_server", name=name, value=AT_EACH_COMMIT))
    if not loose:
        yield ok("durability", Sentence("doctor.durable"))
    if server.replicas:
        yield _judge_replicas(server)


def _judge_replicas(server: Server) -> Finding:
    enabled = server.variable("enabled")[1] == "ON"
    point, wait_point = server.variable("wait_point")
    limit, timeout_ms = server.variable("timeout")
    if not enabled or not server.waits_now:
        said = Sentence("doctor.semi_sync_gave_up" if enabled else "doctor.asynchronous", count=server.replicas)
        return warning("replicas", said, Sentence("advice.semi_sync"))
    if float(timeout_ms or 0) < LONGEST_S * 1000:
        said = Sentence("doctor.semi_sync_short", seconds=float(timeout_ms or 0) / 1000)
        return warning("replicas", said, Sentence("advice.set_in_server", name=limit, value=2**32 - 1))
    if wait_point != LOSSLESS:
        said = Sentence("doctor.semi_sync_late", name=point, value=wait_point)
        return warning("replicas", said, Sentence("advice.set_in_server", name=point, value=LOSSLESS))
    return ok("replicas", Sentence("doctor.semi_sync", count=server.replicas))


def _ask(connection: Connection) -> Server:
    names = "('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin')"
    variables = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {names} OR Variable_name LIKE 'rpl\\_semi\\_sync\\_%'"
    dumps = "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    return Server(
        _shown(connection, variables),
        _shown(connection, "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'"),
        int(connection.execute(sa.text(dumps)).scalar_one()),
    )


def _shown(connection: Connection, statement: str) -> dict[str, str]:
    rows = connection.execute(sa.text(statement))
    return {str(name).lower(): str(value) for name, value in rows}
