"""A campaign over a message centre under kills: the centre's own log is the judge.

CHAOS_SEED repeats a run. CHAOS_CUSTOMERS and CHAOS_KILLS make it longer: `make chaos-smpp`.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.delivery import Delivery
from app.sending.books import MOST_CHUNKS
from app.sending.ledger import CHUNK_S, SMALLEST_CHUNK
from tests.acceptance.network_sender import BINDS, Sender, sending
from tests.acceptance.storm import send_under_kills
from tests.acceptance.test_chaos import hang_up, kill_a, kill_everything, kill_the_manager
from tests.integration.app.campaigns import with_tables

CUSTOMERS = int(os.environ.get("CHAOS_CUSTOMERS", "6000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "8"))
SHARDS = 8


def kill_the_centre(sender: Sender, chance: random.Random) -> None:
    sender.centre.kill()
    sender.centre.start()


WAYS: dict[Callable[[Sender, random.Random], None], int] = {
    kill_a("task worker"): 8,
    kill_a("worker"): 3,
    kill_a("receiver"): 3,
    kill_the_centre: 3,
    hang_up: 3,
    kill_the_manager: 2,
    kill_everything: 2,
}
"""Each with its weight."""


@pytest.mark.long
@pytest.mark.mysql
@pytest.mark.timeout(360 + KILLS * 30)
def test_nobody_is_submitted_to_twice_or_forgotten_under_kills(mysql_url: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"CHAOS_SEED={seed}, {CUSTOMERS} customers, {KILLS} kills")
    chance = random.Random(seed)
    rate = max(100, CUSTOMERS // (KILLS * 4))  # there is something left after the last kill
    with with_tables(mysql_url), sending(mysql_url, tmp_path, CUSTOMERS, rate, SHARDS) as sender:
        counts = send_under_kills(sender, chance, WAYS, KILLS, CUSTOMERS)
        numbers, promised = sender.numbers(), sender.promised()

    assert max(numbers.values()) == 1
    assert counts[Delivery.DELIVERED] == len(promised)
    assert counts[Delivery.UNKNOWN] == CUSTOMERS - len(promised)
    chunk = max(SMALLEST_CHUNK, int(rate * CHUNK_S / BINDS))
    assert counts[Delivery.UNKNOWN] <= KILLS * BINDS * MOST_CHUNKS * chunk
