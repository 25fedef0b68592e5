"""Judges two campaigns, one to a network and one to logs, while they are sent and afterwards: by the message centre's
own log, by the logs, and by what the database itself noted of every claim and intent."""

import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from app.campaigns.snapshot import snapshot
from app.domain.delivery import Delivery
from app.sending.books import MOST_CHUNKS
from app.sending.ledger import SMALLEST_CHUNK
from app.store import campaigns
from app.store.tables import messages, shards
from tests.acceptance.network_sender import WINDOW
from tests.acceptance.test_chaos_hosts import assert_parts_are_where_the_record_says, lines_of, to_cut
from tests.acceptance.three_hosts import SOURCE, ThreeHosts
from tests.integration.app.people import crowd, greeting
from tests.waiting import until

LOOK_EVERY_S = 0.25
SETTLED_WITHIN_S = 120.0
FIRST_MOBILE = 13_800_000_000
"""Of customer 0, see people.person."""
MOST_IN_DOUBT = MOST_CHUNKS * SMALLEST_CHUNK + WINDOW
"""Of one shard under one epoch: two chunks, and stragglers of those before."""
NOTES = [
    """CREATE TABLE claims (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), campaign_id INT, shard INT,
    before_it INT, epoch INT, owner VARCHAR(255))""",
    """CREATE TABLE noted_intents (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), campaign_id INT, shard INT,
    epoch INT, owner VARCHAR(255), after_id BIGINT, to_id BIGINT)""",
    """CREATE TABLE noted_retries (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), campaign_id INT, shard INT,
    epoch INT, customer_id BIGINT)""",
    """CREATE TRIGGER note_shards AFTER UPDATE ON shards FOR EACH ROW BEGIN
    IF NEW.epoch <> OLD.epoch THEN
        INSERT INTO claims (at, campaign_id, shard, before_it, epoch, owner)
        VALUES (UTC_TIMESTAMP(6), NEW.campaign_id, NEW.number, OLD.epoch, NEW.epoch, NEW.owner);
    ELSEIF NEW.intended_id <> OLD.intended_id THEN
        INSERT INTO noted_intents (at, campaign_id, shard, epoch, owner, after_id, to_id)
        VALUES (UTC_TIMESTAMP(6), NEW.campaign_id, NEW.number, NEW.epoch, NEW.owner, OLD.intended_id, NEW.intended_id);
    END IF; END""",
    """CREATE TRIGGER note_messages AFTER UPDATE ON messages FOR EACH ROW BEGIN
    IF OLD.state = 'retry' AND NEW.state = 'submitting' THEN
        INSERT INTO noted_retries (at, campaign_id, shard, epoch, customer_id)
        VALUES (UTC_TIMESTAMP(6), NEW.campaign_id, NEW.shard, NEW.epoch, NEW.customer_id);
    END IF; END""",
]
"""Nobody's word counts for when who had which shard, and meant to send to whom."""


class Claim(NamedTuple):
    """Somebody has a shard now."""

    at: datetime
    campaign_id: int
    shard: int
    before_it: int
    epoch: int
    owner: str


class Submission(NamedTuple):
    """By the centre's log."""

    at: datetime
    customer_id: int


class Judge:
    """`network` and `logs` are the names of the two campaigns."""

    def __init__(self, fleet: ThreeHosts, customers: int, network: str, logs: str) -> None:
        self.fleet = fleet
        self.database = fleet.server.database
        self.customers = customers
        self.network, self.logs = network, logs
        self.centre = fleet.server.centre
        self.looks = self.most_in_doubt = 0
        self._read_bytes = 0
        self._epochs: dict[tuple[int, int], int] = {}
        self._over = threading.Event()
        self._wrong: list[str] = []
        with self.database.begin() as connection:
            for each in NOTES:
                connection.exec_driver_sql(each)

    # ── while they are sent ─────────────────────────────────────────────────────────────────────

    @contextmanager
    def watching(self) -> Iterator[None]:
        """From a thread, all the time."""
        thread = threading.Thread(target=self._watch, name="judge")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        self.check()
        assert self.looks > 10

    def check(self) -> None:
        """Whether all was right so far."""
        assert not self._wrong, "\n".join(self._wrong)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:
                self._wrong.append(traceback.format_exc())
                return

    def look(self) -> None:
        """Everything adds up, epochs rise, and nobody was submitted to before it was intended."""
        lines = self._new_submissions()  # first: what is in the log was intended by now
        with self.database.connect() as connection:
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            rows = connection.execute(sa.select(shards)).mappings().all()
            of_network = self.id_of(connection, self.network)
            of = (messages.c.shard, messages.c.epoch)
            query = sa.select(*of, sa.func.count()).where(messages.c.state == Delivery.UNKNOWN).group_by(*of)
            in_doubt = {(row[0], row[1]): row[2] for row in connection.execute(query)}
        self.most_in_doubt = max(self.most_in_doubt, *in_doubt.values(), 0)
        assert self.most_in_doubt <= MOST_IN_DOUBT, f"more in doubt than was under way: {in_doubt}"
        reached = {}
        for row in rows:
            of = (row["campaign_id"], row["number"])
            reached[of] = max(row["last_id"], row["intended_id"])
            met = row["sent"] + row["rejected"]
            assert met == reached[of] - row["after_id"], f"some are counted twice or not at all: {dict(row)}"
            assert row["audience"] in (None, row["to_id"] - row["after_id"]), f"not the audience: {dict(row)}"
            assert row["epoch"] >= self._epochs.get(of, 0), f"an epoch fell: {dict(row)}"
            self._epochs[of] = row["epoch"]
        self.fleet.server.counts(of_network)
        bounds = {row["number"]: row["after_id"] for row in rows if row["campaign_id"] == of_network}
        for each in lines:
            number = max(number for number, after_id in bounds.items() if after_id < each.customer_id)
            assert each.customer_id <= reached[of_network, number], f"submitted and not intended: {each}"
        self.looks += 1

    def _new_submissions(self) -> list[Submission]:
        with self.centre.log.open("rb") as log:
            log.seek(self._read_bytes)
            whole = log.read().rpartition(b"\n")
        self._read_bytes += len(whole[0]) + len(whole[1])
        return [_submission(line) for line in whole[0].decode().splitlines()]

    def id_of(self, connection: Connection, name: str) -> int:
        found = campaigns.find(connection, name)
        assert found, name
        return found.id

    # ── what was noted ──────────────────────────────────────────────────────────────────────────

    def claims(self) -> list[Claim]:
        """In order."""
        with self.database.connect() as connection:
            query = "SELECT at, campaign_id, shard, before_it, epoch, owner FROM claims ORDER BY id"
            return [Claim(each[0].replace(tzinfo=UTC), *each[1:]) for each in connection.exec_driver_sql(query)]

    def submissions(self) -> dict[str, list[Submission]]:
        """Of each host, in order."""
        found: dict[str, list[Submission]] = {each.name: [] for each in self.fleet.machines}
        lines = self.centre.log.read_text().rpartition("\n")[0].splitlines()
        ids = [line.split("\t")[3] for line in lines]
        until(lambda: self._host_by_message().keys() >= {*ids}, what="the centre's book is as far as its log")
        hosts = self._host_by_message()
        for message_id, line in zip(ids, lines, strict=True):
            found[hosts[message_id]].append(_submission(line))
        return found

    def _host_by_message(self) -> Mapping[str, str]:
        """By the centre's id of a message; its sender's address says which host that is."""
        book = self.centre.log.with_name(self.centre.log.name + ".receipts").read_text().rpartition("\n")[0]
        owed = [line.split("\t") for line in book.splitlines() if line.startswith("owed\t")]
        return {each[1]: f"w{each[4].removeprefix(SOURCE)}" for each in owed}

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────

    def verdict(self) -> Counter[str]:
        """Whether everybody got their message from the one campaign and from the other; how the first one's stand."""
        counts = self._settled()
        self._judge_network(counts)
        self._judge_intents()
        self._judge_logs()
        assert all(each.epoch > each.before_it for each in self.claims()), "an epoch fell"
        return counts

    def _settled(self) -> Counter[str]:
        server = self.fleet.server
        with self.database.connect() as connection:
            of_network = self.id_of(connection, self.network)

        def found() -> Counter[str]:
            counts = server.counts(of_network)
            is_over = counts[Delivery.DELIVERED] >= len(server.promised()) and counts.total() == self.customers
            return counts if is_over and not counts[Delivery.ACCEPTED] else Counter()

        what = f"every receipt is on record: {server.counts(of_network)}, {len(server.promised())} promised"
        return until(found, within_s=SETTLED_WITHIN_S, what=what)

    def _judge_network(self, counts: Counter[str]) -> None:
        numbers = self.fleet.server.numbers()
        twice = [each for each, count in numbers.items() if count > 1]
        assert not twice, f"submitted twice: {twice[:10]} and {len(twice)} in all"
        assert counts[Delivery.DELIVERED] + counts[Delivery.UNKNOWN] == self.customers, counts
        with self.database.connect() as connection:
            query = sa.select(messages.c.mobile).where(messages.c.state == Delivery.UNKNOWN)
            unknown = {*connection.execute(query).scalars()}
        everybody = {FIRST_MOBILE + number for number in range(1, self.customers + 1)}
        assert everybody - {*numbers} <= unknown, "somebody was forgotten"

    def _judge_intents(self) -> None:
        """Whoever was submitted to had been intended before, by that host, under an epoch that it claimed."""
        with self.database.connect() as connection:
            of_network = self.id_of(connection, self.network)
            query = "SELECT at, owner, after_id, to_id FROM noted_intents WHERE campaign_id = %s"
            intended: dict[int, list[tuple[datetime, str]]] = {}
            for at, owner, after_id, to_id in connection.exec_driver_sql(query, (of_network,)):
                for customer_id in range(after_id + 1, to_id + 1):
                    intended.setdefault(customer_id, []).append((at.replace(tzinfo=UTC), _host(owner)))
            owners = {(each.shard, each.epoch): each.owner for each in self.claims() if each.campaign_id == of_network}
            query = "SELECT at, shard, epoch, customer_id FROM noted_retries WHERE campaign_id = %s"
            for at, shard, epoch, customer_id in connection.exec_driver_sql(query, (of_network,)):
                intended.setdefault(customer_id, []).append((at.replace(tzinfo=UTC), _host(owners[shard, epoch])))
        for host, some in self.submissions().items():
            for each in some:
                before = [by for at, by in intended.get(each.customer_id, []) if at <= each.at]
                assert host in before, f"{host} submitted {each}, intended by {before}"

    def _judge_logs(self) -> None:
        until(lambda: not to_cut(self.database), within_s=SETTLED_WITHIN_S, what="what is not on record is cut off")
        folders, rows = self.fleet.log_folders, crowd(self.customers)
        lines = Counter(line for each in folders for line in lines_of(each, self.logs))
        assert lines == Counter(map(greeting, rows)), "the logs are not exact"
        texts = {row[0]: greeting(row) for row in rows}
        assert_parts_are_where_the_record_says(snapshot(self.database, self.logs), folders, texts)


def _submission(line: str) -> Submission:
    at, _, number, *_ = line.split("\t")
    return Submission(datetime.fromisoformat(at), int(number.removeprefix("86")) - FIRST_MOBILE)


def _host(owner: str) -> str:
    return owner.partition(":")[0]
