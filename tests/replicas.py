"""Two MySQL servers of a test's own, of which one follows the other, semi-synchronously, and can take its place."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import text

from tests.databases import Contained, NoServer, Server, container, docker_answers
from tests.waiting import until

WITHIN_S = 60.0
FOR_EVER_MS = 4_294_967_295
OPTIONS = (
    *("--log-bin=binlog", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--relay-log=relay"),
    *("--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so"),
    *("--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=0"),
    *("--performance-schema=OFF", "--innodb-buffer-pool-size=64M", "--max-connections=500"),
)
"""What docs/fleet.md asks for, but for what only a power cut would show."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`primary` says that a transaction is committed once `replica`, which is read-only, has it."""

    primary: Contained
    replica: Contained

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The address of a new, empty schema at the primary. It goes with the servers."""
        name = "sms_test_failover"
        self.primary.server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield self.primary.server.user.set(database=name).render_as_string(hide_password=False)

    def cut_off(self) -> None:
        """The primary lives on, and the replica hears no more of it: what is committed from now on is not answered."""
        self.replica.server.execute("STOP REPLICA IO_THREAD")

    def unanswered(self) -> int:
        """How many commits wait at the primary for a replica that has them."""
        with self.primary.server.connections().connect() as connection:
            rows = connection.execute(text("SHOW FULL PROCESSLIST")).mappings().all()
        return sum("semi-sync ACK" in str(each["State"]) for each in rows)

    def promote(self) -> None:
        """Make the replica, whose primary is gone or cut off, one that is written to: first of all it does what it has
        heard."""
        server = self.replica.server
        server.execute("STOP REPLICA IO_THREAD")
        heard = str(_status(server)["Retrieved_Gtid_Set"]).replace("\n", "")
        with server.connections().connect() as connection:
            done = connection.execute(text(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{heard}', {WITHIN_S:.0f})")).scalar()
        assert done == 0, "the replica has not done what it heard"
        server.execute(
            "STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"
        )


@contextmanager
def pair() -> Iterator[Pair]:
    """Both answer, and what one commits the other one has. Raises NoServer where there is no Docker engine."""
    if not docker_answers():
        raise NoServer("no Docker engine answers, and a pair of servers takes two containers")
    with ExitStack() as stack:
        primary, replica = (stack.enter_context(container(*OPTIONS, f"--server-id={each}")) for each in (1, 2))
        for each in (primary, replica):  # what each did for itself so far is nothing to the other one
            each.server.execute("RESET BINARY LOGS AND GTIDS")
        replica.server.execute(
            "SET GLOBAL super_read_only = 1",
            "SET GLOBAL rpl_semi_sync_replica_enabled = 1",
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{primary.inside}', SOURCE_USER = 'root', "
            "SOURCE_PASSWORD = 'root', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
            "START REPLICA",
        )
        until(lambda: _is_following(replica.server), within_s=WITHIN_S, what="the replica follows")
        primary.server.execute(
            f"SET GLOBAL rpl_semi_sync_source_timeout = {FOR_EVER_MS}", "SET GLOBAL rpl_semi_sync_source_enabled = 1"
        )
        yield Pair(primary, replica)
        for each in (primary, replica):
            each.server.connections().dispose()


def _is_following(server: Server) -> bool:
    found = _status(server)
    return (found["Replica_IO_Running"], found["Replica_SQL_Running"]) == ("Yes", "Yes")


def _status(server: Server) -> dict[str, object]:
    with server.connections().connect() as connection:
        return dict(connection.execute(text("SHOW REPLICA STATUS")).mappings().one())
