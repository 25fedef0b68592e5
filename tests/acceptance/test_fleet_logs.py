"""A campaign to logs on Celery workers of two hosts: when one dies the other goes on, and each message stands in the
logs of one of them, once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.campaigns.snapshot import snapshot
from app.domain.campaign import State
from app.gateways.log_file.folder import owner_of
from tests.acceptance.fleet import LEASE_S, WITHIN_S, CeleryWorker
from tests.acceptance.test_chaos_hosts import assert_parts_are_where_the_record_says, lines_of, to_cut
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, greeting, move_in
from tests.integration.app.serving import Product
from tests.rabbit import Broker
from tests.waiting import until

CUSTOMERS = 8_000
SHARDS = 8
SLOWLY = """
import time
from app.gateways.log_file.journal import LogFile
from app.sending import journal

deliver = LogFile.deliver

def deliver_slowly(self, text):
    time.sleep(0.04)
    position = deliver(self, text)
    time.sleep(0.04)
    return position

LogFile.deliver = deliver_slowly
journal.PAGE_ROWS = 10
from celery.__main__ import main
main()
"""

pytestmark = [pytest.mark.long, pytest.mark.mysql, pytest.mark.timeout(480)]


class SlowWorker(CeleryWorker):
    """One that can be killed in the middle."""

    program = ("-c", SLOWLY)


@pytest.fixture
def server(mysql_url: str, tmp_path: Path, broker: Broker) -> Iterator[Product]:
    settings = {"runner": "celery", "broker_url": broker.url, "lease_s": LEASE_S, "slice_s": 2}
    with (
        with_tables(mysql_url),
        Product(mysql_url, tmp_path, shard_size=CUSTOMERS // SHARDS, **settings) as server,
    ):
        yield server


@pytest.fixture
def workers(server: Product, tmp_path: Path) -> Iterator[list[SlowWorker]]:
    with ExitStack() as stack:
        workers = [SlowWorker(name, server.environment, tmp_path) for name in ("w1", "w2")]
        for each in workers:
            stack.callback(each.kill)
            each.start()
        yield workers


def folders_of(server: Product) -> list[list[str]]:
    """Of each shard, the folders that have something of it."""
    parts = snapshot(server.database, "spring").parts
    return [[each.folder for each in some if not each.is_empty] for some in parts.values()]


def test_when_a_host_dies_its_shards_go_on_on_the_other_one_and_nobody_has_two_messages(server, workers):
    one, other = workers
    move_in(server.database, crowd(CUSTOMERS))
    server.start()
    server.ask("spring")
    until(
        lambda: {each for some in folders_of(server) for each in some} == {owner_of(one.logs), owner_of(other.logs)},
        within_s=WITHIN_S,
        what="both hosts send",
    )

    one.kill()
    until(
        lambda: [owner_of(one.logs), owner_of(other.logs)] in folders_of(server),
        within_s=WITHIN_S,
        what="a shard goes on on the other host",
    )
    one.start()
    assert server.wait_until_over("spring") == State.FINISHED
    until(lambda: not to_cut(server.database), within_s=WITHIN_S, what="what is not on record is cut off")

    assert Counter(line for each in workers for line in lines_of(each.logs)) == Counter(map(greeting, crowd(CUSTOMERS)))
    messages = {row[0]: greeting(row) for row in crowd(CUSTOMERS)}
    assert_parts_are_where_the_record_says(
        snapshot(server.database, "spring"), [each.logs for each in workers], messages
    )
    for each in workers:
        assert "task broke down" not in each.said(), each.said()
