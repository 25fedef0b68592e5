"""A small campaign does not wait behind a big one on a network that takes its time."""

import json

import pytest

from app.domain.campaign import State
from app.domain.greeting import DEFAULT_TEMPLATE
from app.domain.sharding import IdRange
from app.store import campaigns
from app.store.database import writing
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.waiting import until

SIZE = 200
CROWD = crowd(2 * SIZE)
SMALL = 50
AT_50_A_SECOND = """
import time
from app import console
from app.cli.main import cli
from app.gateways.log_file.journal import LogFile
from app.sending import journal

deliver = LogFile.deliver
journal.PAGE_ROWS = 10

def slowly(self, text):
    time.sleep(0.2)
    return deliver(self, text)

LogFile.deliver = slowly
console.run(cli)
"""


@pytest.fixture
def slow(migrated_url, tmp_path):
    """A server with one task worker, which sends a big campaign for eight seconds; some of it is sent."""
    with Product(migrated_url, tmp_path, worker_num=1, task_worker_num=1, shard_size=SIZE, slice_s=1) as product:
        product.program = ("-c", AT_50_A_SECOND, "serve")
        move_in(product.database, CROWD)
        product.start()
        product.ask(json.dumps({"campaign": "big", "allow_duplicates": True}))
        until(lambda: product.sent() > 0, within_s=WITHIN_S, what="something is sent")
        yield product


def state_of(product: Product, name: str) -> State:
    with product.database.connect() as connection:
        campaign = campaigns.find(connection, name)
    assert campaign
    return campaign.state


def trigger_small(product: Product) -> None:
    with writing(product.database) as connection:
        campaigns.insert(connection, "small", DEFAULT_TEMPLATE, [IdRange(0, 0, SMALL)], allow_duplicates=True)


def test_a_small_campaign_is_over_long_before_a_big_one_that_runs_already(slow):
    trigger_small(slow)

    until(lambda: state_of(slow, "small") is State.FINISHED, within_s=WITHIN_S, what="the small one is over")
    big_sent = slow.sent() - SMALL
    until(lambda: state_of(slow, "big") is State.FINISHED, within_s=WITHIN_S, what="the big one is over")

    assert big_sent < len(CROWD) * 3 // 4
    assert logs_of(slow.logs, "small") == expected_logs(CROWD[:SMALL], SIZE)
    assert logs_of(slow.logs, "big") == expected_logs(CROWD, SIZE)


def test_campaigns_that_take_turns_are_exact_however_often_everything_is_killed(slow):
    trigger_small(slow)
    for _ in range(3):
        before = slow.sent()
        until(lambda before=before: slow.sent() > before, within_s=WITHIN_S, what="it goes on")
        slow.kill_everything()
        slow.start()

    until(
        lambda: {state_of(slow, "small"), state_of(slow, "big")} == {State.FINISHED},
        within_s=WITHIN_S,
        what="both are over",
    )

    assert logs_of(slow.logs, "small") == expected_logs(CROWD[:SMALL], SIZE)
    assert logs_of(slow.logs, "big") == expected_logs(CROWD, SIZE)
