"""A campaign whose processes and connections are killed at random moments ends as if nothing had happened.

CHAOS_SEED repeats a run. CHAOS_CUSTOMERS and CHAOS_KILLS make it longer: `make chaos`.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.domain.campaign import State
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import Row, crowd, expected_logs, greeting, logs_of, move_in, person
from tests.integration.app.serving import Product

CUSTOMERS = int(os.environ.get("CHAOS_CUSTOMERS", "200000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "20"))
SHARDS = 8
NEARLY_ALL = len(greeting(person(1)).encode()) * CUSTOMERS // SHARDS * 3 // 4
"""Bytes of a log. Behind them each page takes a while until the last kill, so that it is not over before."""
SMALL_PAGES = f"""
import os
import sys
import time
from app import console
from app.cli import main as commands
from app.gateways.log_file.journal import LogFile
from app.sending import journal

deliver = LogFile.deliver

def deliver_nearly_all(self, text):
    position = deliver(self, text)
    if position > {NEARLY_ALL} and not os.path.exists(os.environ["SMS_LOG_DIR"] + "/released"):
        time.sleep(0.3)
    return position

LogFile.deliver = deliver_nearly_all
journal.PAGE_ROWS = {CUSTOMERS // (KILLS * 60)}
sys.argv = ["app", "serve"]
console.run(commands.cli)
"""
"""The server with many checkpoints to die between, and enough work for every kill."""


class Resurrected(Product):
    """One that is killed, by whoever kills, and started again."""

    expects_tracebacks = True
    program = ("-c", SMALL_PAGES)


@pytest.fixture
def product(mysql_url: str, tmp_path: Path) -> Iterator[Resurrected]:
    with (
        with_tables(mysql_url),
        Resurrected(mysql_url, tmp_path, task_worker_num=3, shard_size=CUSTOMERS // SHARDS) as product,
    ):
        yield product


# ── ways to die ─────────────────────────────────────────────────────────────────────────────────


def kill_a(kind: str) -> Callable[[Product, random.Random], None]:
    def kill(product: Product, chance: random.Random) -> None:
        found = [each for each in children(product) if each[0].startswith(f"sms: {kind}")]
        if found:
            _, process = chance.choice(found)
            with suppress(psutil.NoSuchProcess):
                process.kill()

    kill.__name__ = f"kill a {kind}"
    return kill


def children(product: Product) -> list[tuple[str, psutil.Process]]:
    assert product.server
    found = []
    for process in psutil.Process(product.server.pid).children():
        with suppress(psutil.NoSuchProcess):
            found.append((" ".join(process.cmdline()).strip(), process))
    return sorted(found, key=lambda each: each[0])


def kill_the_manager(product: Product, chance: random.Random) -> None:
    assert product.server
    os.kill(product.server.pid, signal.SIGKILL)
    product.wait_until_gone()
    product.start()


def kill_everything(product: Product, chance: random.Random) -> None:
    product.kill_everything()
    product.start()


def stop_and_start(product: Product, chance: random.Random) -> None:
    assert product.stop() == 0
    product.start()


def hang_up(product: Product, chance: random.Random) -> None:
    """The database closes every connection but ours."""
    others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    with product.database.connect() as connection:
        for number in connection.execute(sa.text(others)).scalars().all():
            with suppress(OperationalError):  # it is gone already
                connection.execute(sa.text(f"KILL {number}"))


WAYS: dict[Callable[[Product, random.Random], None], int] = {
    kill_a("task worker"): 8,
    kill_a("worker"): 4,
    hang_up: 3,
    kill_the_manager: 2,
    kill_everything: 2,
    stop_and_start: 1,
}
"""Each with its weight."""


# ── the test ────────────────────────────────────────────────────────────────────────────────────


def neighbours(customers: int) -> tuple[list[Row], list[Row]]:
    """Who is to be greeted; and, all over the ids, who is not: without a number, without a name, or a duplicate."""
    greeted, rejected = [], []
    for row in crowd(customers):
        number, name, gender, mobile = row
        match number % 100:
            case 7:
                rejected.append((number, name, gender, "none"))
            case 8:
                rejected.append((number, " ", gender, mobile))
            case 9:
                rejected.append((number, name, gender, f"+86 138{number - 9:08}" if number > 9 else "none"))
            case _:
                greeted.append(row)
    return greeted, rejected


@pytest.mark.long
@pytest.mark.mysql
@pytest.mark.timeout(780 + KILLS * 30)
def test_a_campaign_under_kills_ends_byte_for_byte_like_an_undisturbed_one(product: Resurrected) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"CHAOS_SEED={seed}, {CUSTOMERS} customers, {KILLS} kills")
    chance = random.Random(seed)
    greeted, rejected = neighbours(CUSTOMERS)
    move_in(product.database, greeted + rejected)
    product.start()
    released = product.logs / "released"
    released.touch()
    product.ask("calm")
    assert product.wait_until_over("calm", within_s=300) == State.FINISHED

    released.unlink()
    product.ask("stormy")
    killed: Counter[str] = Counter()
    for _ in range(KILLS):
        threading.Event().wait(chance.uniform(0.02, 0.4))
        way = chance.choices(list(WAYS), list(WAYS.values()))[0]
        way(product, chance)
        killed[way.__name__] += 1
    state_after_the_last_kill = product.state("stormy")
    released.touch()
    over = product.wait_until_over("stormy", within_s=300)

    print(f"killed {dict(killed)}")
    assert state_after_the_last_kill == State.RUNNING, "it was over before the last kill"
    assert over == State.FINISHED, product.reason("stormy")
    calm, stormy = logs_of(product.logs, "calm"), logs_of(product.logs, "stormy")
    messages = {name: text for name, text in calm.items() if not name.endswith(".rejects.log")}
    assert messages == expected_logs(greeted, CUSTOMERS // SHARDS)
    assert stormy == calm
    assert len(calm) == 2 * len(messages) == 2 * SHARDS
    assert product.sent() == 2 * len(greeted)
    assert product.run("report", "stormy").returncode == 0
