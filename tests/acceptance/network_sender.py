"""The server beside the demo message centre, whose own log judges what was submitted."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from app.domain.delivery import Delivery
from app.store.tables import intents, messages, rejects, shards
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.integration.smpp.smsc import Smsc, running
from tests.waiting import until

GATEWAY = "smpp-a"
BINDS = 4
ANSWER_WITHIN_S = 2
IN_GOOD_ORDER_S = 30
"""The same where no answer may be missing, however long a process waits for its turn on a busy machine."""
WINDOW = 50
LESS_PATIENCE = """
import sys
from datetime import timedelta
from app.store import receipts

receipts.BY_NUMBER_AFTER = timedelta(seconds=6)
from app import console
from app.cli import main as commands

sys.argv = ["app", "serve"]
console.run(commands.cli)
"""
"""A receipt whose id is on no record is sooner taken for one of a message in doubt; an answer takes 2 s at most."""

Counts = Counter[tuple[int, str]]
"""How many messages of which shard are in which state."""


class Sender(Product):
    """A server with one gateway, `centre`."""

    expects_tracebacks = True
    program = ("-c", LESS_PATIENCE)
    centre: Smsc

    def use(
        self,
        centre: Smsc,
        folder: Path,
        rate: int,
        binds: int = BINDS,
        source: str = "10690000",
        answer_within_s: int = ANSWER_WITHIN_S,
    ) -> None:
        """Send over it, so many parts a second. Before the start."""
        self.centre = centre
        file = folder / "gateways.toml"
        file.write_text(
            f'[{GATEWAY}]\nkind = "smpp"\nhost = "{centre.host}"\nport = {centre.port}\nsystem_id = "sms"\n'
            f'password_env = "CENTRE_PASSWORD"\nbinds = {binds}\nwindow = {WINDOW}\nrate = {rate}\n'
            f'source = "{source}"\nanswer_timeout_s = {answer_within_s}\n'
        )
        self.environment |= {"SMS_GATEWAYS": str(file), "SMS_GATEWAY": GATEWAY, "CENTRE_PASSWORD": "secret"}

    def counts(self, campaign_id: int | None = None) -> Counter[str]:
        """How many messages are in each state, and `rejected`, of one campaign or of all there are, which is one then;
        after a look whether everything adds up."""

        def of_campaign(table: sa.Table) -> sa.ColumnElement[bool]:
            return sa.true() if campaign_id is None else table.c.campaign_id == campaign_id

        with self.database.connect() as connection:
            if connection.dialect.name == "mysql":  # one moment for all of it
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            query = sa.select(shards).where(of_campaign(shards))
            rows = connection.execute(query).mappings().all()
            by_state: Counts = Counter()
            of = (messages.c.shard, messages.c.state)
            query = sa.select(*of, sa.func.count()).where(of_campaign(messages)).group_by(*of)
            for shard, state, count in connection.execute(query):
                by_state[shard, state] += count
            query = sa.select(intents.c.shard, intents.c.ids).where(of_campaign(intents))
            for shard, ids in connection.execute(query):
                by_state[shard, Delivery.SUBMITTING] += len(ids) // 4
            query = sa.select(rejects.c.shard, sa.func.count()).where(of_campaign(rejects))
            query = query.group_by(rejects.c.shard)
            rejected = {row.shard: row[1] for row in connection.execute(query)}
        found: Counter[str] = Counter()
        for row in rows:
            for state in Delivery:
                tally = row["in_doubt" if state is Delivery.UNKNOWN else state.value]
                assert tally == by_state[row["number"], state], (row["number"], state)
                found[state] += tally
            assert row["sent"] == sum(by_state[row["number"], state] for state in Delivery)
            assert row["rejected"] == rejected.get(row["number"], 0)
            assert row["audience"] is None or row["sent"] + row["rejected"] <= row["audience"]
            found["rejected"] += row["rejected"]
        return found

    def begin(self, name: str) -> None:
        """Trigger a campaign; over a gateway that sends it must say what."""
        answer = json.loads(self.ask(json.dumps({"campaign": name, "template": "{name}, hello"})))
        assert "tasks" in answer, answer

    def wait_for_submissions(self, count: int, within_s: float = WITHIN_S) -> None:
        """In the centre's own log."""
        until(lambda: len(self.numbers()) >= count, within_s=within_s, what=f"{count} submissions")

    def numbers(self) -> Counter[int]:
        """How often each number was submitted to, by the centre's log, as far as its lines are whole."""
        whole = self.centre.log.read_text().rpartition("\n")[0]
        return Counter(int(line.split("\t")[2].removeprefix("86")) for line in whole.splitlines())

    def settled(self, customers: int, within_s: float) -> Counter[str]:
        """The counts, once every receipt came that the centre promised."""

        def found() -> Counter[str]:
            counts = self.counts()
            promised = self.promised()
            over = counts[Delivery.DELIVERED] >= len(promised) and sum(counts.values()) == customers
            return counts if over and not counts[Delivery.ACCEPTED] else Counter()

        return until(found, within_s=within_s, what=f"every receipt is on record: {self.counts()}")

    def assert_nobody_twice_and_all_add_up(self, customers: int) -> Counter[str]:
        """By the centre's log; the counts."""
        counts = self.settled(customers, within_s=WITHIN_S)
        numbers = self.numbers()
        assert max(numbers.values()) == 1
        assert counts[Delivery.DELIVERED] + counts[Delivery.UNKNOWN] == customers
        assert self._mobiles() - {*numbers} <= self._mobiles(Delivery.UNKNOWN), "somebody was forgotten"
        return counts

    def _mobiles(self, *states: Delivery) -> set[int]:
        """Of messages in these states, or in any."""
        query = sa.select(messages.c.mobile)
        with self.database.connect() as connection:
            return {*connection.execute(query.where(messages.c.state.in_(states)) if states else query).scalars()}

    def promised(self) -> set[str]:
        """Numbers that the centre owed, or owes, a receipt, as far as the lines of its book are whole."""
        book = self.centre.log.with_name(self.centre.log.name + ".receipts").read_text().rpartition("\n")[0]
        return {line.split("\t")[3] for line in book.splitlines() if line.startswith("owed\t")}


@contextmanager
def sending(
    url: str,
    folder: Path,
    customers: int,
    rate: int,
    shards: int = 4,
    *,
    answer_within_s: int = ANSWER_WITHIN_S,
    **settings: object,
) -> Iterator[Sender]:
    """Started, with so many customers, and nothing sent; `settings` as of Product."""
    home = folder / "centre"
    home.mkdir()
    with (
        running(home, "--receipts-after", "0.3") as centre,
        Sender(url, folder, task_worker_num=4, shard_size=-(-customers // shards), **settings) as sender,
    ):
        sender.use(centre, folder, rate, answer_within_s=answer_within_s)
        move_in(sender.database, crowd(customers))
        sender.start()
        yield sender
