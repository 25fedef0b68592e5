"""Campaigns over cloud providers under kills and lost answers: the provider's own log is the judge.

CHAOS_SEED repeats a run. CHAOS_CUSTOMERS and CHAOS_KILLS make it longer: `make chaos-providers`.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.delivery import Delivery
from tests.acceptance.cloud_sender import CloudSender, sending_by
from tests.acceptance.storm import send_under_kills
from tests.acceptance.test_chaos import hang_up, kill_a, kill_everything, kill_the_manager
from tests.integration.app.campaigns import with_tables

CUSTOMERS = int(os.environ.get("CHAOS_CUSTOMERS", "3000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "6"))
SHARDS = 8
LOST = 0.03
"""Of the answers."""


def lose_answers(sender: CloudSender, chance: random.Random) -> None:
    sender.provider.set(**{chance.choice(["drop_answer", "half_answer", "error_after"]): LOST})


WAYS: dict[Callable[[CloudSender, random.Random], None], int] = {
    lose_answers: 2,
    kill_a("task worker"): 8,
    kill_a("receiver"): 4,
    kill_a("worker"): 2,
    hang_up: 2,
    kill_everything: 2,
    kill_the_manager: 1,
}
"""Each with its weight."""


@pytest.mark.long
@pytest.mark.mysql
@pytest.mark.timeout(360 + KILLS * 30)
@pytest.mark.parametrize("kind", ["aliyun", "tencent", "twilio"])
def test_nobody_gets_it_twice_or_is_forgotten_under_kills_and_lost_answers(
    mysql_url: str, tmp_path: Path, kind: str
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"{kind}: CHAOS_SEED={seed}, {CUSTOMERS} customers, {KILLS} kills")
    chance = random.Random(seed)
    rate = max(100, CUSTOMERS // (KILLS * 4))  # there is something left after the last kill
    with with_tables(mysql_url), sending_by(kind, mysql_url, tmp_path, CUSTOMERS, rate, SHARDS) as sender:
        counts = send_under_kills(sender, chance, WAYS, KILLS, CUSTOMERS)
        numbers = sender.numbers()

    assert max(numbers.values()) == 1
    assert counts[Delivery.DELIVERED] == len(numbers)
    assert counts[Delivery.UNKNOWN] == CUSTOMERS - len(numbers)
