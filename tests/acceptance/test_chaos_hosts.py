"""Two servers, each with a folder of logs of its own, send one campaign while they are killed, and stopped for longer
than their lease, at random moments: then every message stands in the logs of both exactly once.

CHAOS_SEED repeats a run. CHAOS_CUSTOMERS and CHAOS_KILLS make it longer: `make chaos-hosts`.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.campaigns.snapshot import Snapshot, snapshot
from app.domain.campaign import State
from app.gateways.log_file.folder import log_path, owner_of
from app.store.log_parts import end_of
from app.store.tables import log_parts
from tests.acceptance.test_chaos import children, neighbours
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import greeting, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.waiting import until

CUSTOMERS = int(os.environ.get("CHAOS_CUSTOMERS", "20000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "8"))
SHARDS = 8
TASK_WORKERS = 2
LEASE_S = 3
STOPPED_S = (LEASE_S + 1.0, LEASE_S + 3.0)
PAGE_ROWS = max(1, CUSTOMERS // 1_000)
BRAKE_S = KILLS * STOPPED_S[1] * 3 * 2 * TASK_WORKERS * PAGE_ROWS / CUSTOMERS
"""Until the last kill a page takes so long, that there is enough to do."""
SLOWLY = f"""
import os
import sys
import time
from app import console
from app.cli import main as commands
from app.gateways.log_file.journal import LogFile
from app.sending import journal

deliver = LogFile.deliver

def brake():
    if not os.path.exists(os.environ["SMS_LOG_DIR"] + "/released"):
        time.sleep({BRAKE_S} / 2)

def deliver_slowly(self, text):
    brake()
    position = deliver(self, text)
    brake()
    return position

LogFile.deliver = deliver_slowly
journal.PAGE_ROWS = {PAGE_ROWS}
sys.argv = ["app", "serve"]
console.run(commands.cli)
"""


class Host(Product):
    """A server, by whoever killed, and started again."""

    expects_tracebacks = True
    program = ("-c", SLOWLY)


@pytest.fixture
def hosts(mysql_url: str, tmp_path: Path) -> Iterator[list[Host]]:
    homes = [tmp_path / name for name in ("w1", "w2")]
    for each in homes:
        each.mkdir()
    settings = {
        "task_worker_num": TASK_WORKERS,
        "shard_size": CUSTOMERS // SHARDS,
        "lease_s": LEASE_S,
        "slice_s": 1,
    }
    with (
        with_tables(mysql_url),
        Host(mysql_url, homes[0], host_id="w1", **settings) as first,
        Host(mysql_url, homes[1], host_id="w2", **settings) as second,
    ):
        yield [first, second]


# ── ways to fall silent ─────────────────────────────────────────────────────────────────────────


def group_of(host: Host) -> int:
    assert host.server
    return host.server.pid


def kill_and_start(host: Host, chance: random.Random) -> None:
    host.kill_everything()
    host.start()


def kill_and_start_when_the_lease_is_over(host: Host, chance: random.Random) -> None:
    host.kill_everything()
    threading.Event().wait(chance.uniform(*STOPPED_S))
    host.start()


def kill_a_task_worker(host: Host, chance: random.Random) -> None:
    with suppress(psutil.NoSuchProcess):
        chance.choice(task_workers(host)).kill()


def stop_beyond_the_lease(host: Host, chance: random.Random) -> None:
    """All of the host, as when a virtual machine is moved."""
    with stopped(lambda number: os.killpg(group_of(host), number)):
        threading.Event().wait(chance.uniform(*STOPPED_S))


def stop_a_task_worker_beyond_the_lease(host: Host, chance: random.Random) -> None:
    one = chance.choice(task_workers(host))
    with suppress(psutil.NoSuchProcess), stopped(one.send_signal):
        threading.Event().wait(chance.uniform(*STOPPED_S))


def stop_one_and_kill_the_rest(host: Host, chance: random.Random) -> None:
    """A task that nobody knows any more wakes up and writes on, while its server is back."""
    one = chance.choice(task_workers(host))
    with suppress(psutil.NoSuchProcess), stopped(one.send_signal):
        for each in [psutil.Process(group_of(host)), *psutil.Process(group_of(host)).children()]:
            if each.pid != one.pid:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        threading.Event().wait(chance.uniform(*STOPPED_S))
    host.wait_until_gone()
    host.start()


@contextmanager
def stopped(send: Callable[[int], None]) -> Iterator[None]:
    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)


def task_workers(host: Host) -> list[psutil.Process]:
    return until(
        lambda: [process for title, process in children(host) if title.startswith("sms: task worker")],
        within_s=WITHIN_S,
        what="there is a task worker",
    )


WAYS = {
    stop_beyond_the_lease: 3,
    stop_a_task_worker_beyond_the_lease: 3,
    stop_one_and_kill_the_rest: 2,
    kill_and_start_when_the_lease_is_over: 2,
    kill_and_start: 1,
    kill_a_task_worker: 1,
}
"""Each with its weight."""


# ── the test ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.long
@pytest.mark.mysql
@pytest.mark.timeout(420 + KILLS * 40)
def test_every_message_stands_in_the_logs_of_two_hosts_exactly_once_whatever_happens_to_either(hosts):
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
    print(f"\nCHAOS_SEED={seed}")
    chance = random.Random(seed)
    greeted, rejected = neighbours(CUSTOMERS)
    move_in(hosts[0].database, greeted + rejected)
    for each in hosts:
        each.start()
    hosts[0].ask("spring")
    planned = [*WAYS, *chance.choices(list(WAYS), list(WAYS.values()), k=max(0, KILLS - len(WAYS)))][:KILLS]
    chance.shuffle(planned)

    done: Counter[str] = Counter()
    for way in planned:
        threading.Event().wait(chance.uniform(0.2, 1.5))
        if hosts[0].state("spring") != State.RUNNING:
            break
        way(chance.choice(hosts), chance)
        done[way.__name__] += 1
    for each in hosts:
        (each.logs / "released").touch()
    hosts[0].wait_until_over("spring", within_s=120 + KILLS * 30)
    until(lambda: not to_cut(hosts[0].database), within_s=WITHIN_S, what="what is not on record is cut off")

    now = snapshot(hosts[0].database, "spring")
    parts = [part for each in now.parts.values() for part in each if not part.is_empty]
    print(f"{dict(done)}; {len(parts)} parts of {SHARDS} shards")
    assert now.campaign.state is State.FINISHED
    assert len(done) == len({*planned}), "it was over before the last kill"
    assert len(parts) > SHARDS, "no shard went on on the other host"
    lines = [line for each in hosts for line in lines_of(each.logs)]
    assert Counter(lines) == Counter(greeting(row) for row in greeted)
    messages = {row[0]: greeting(row) for row in greeted}
    assert_parts_are_where_the_record_says(now, [each.logs for each in hosts], messages)
    files = []
    for each in hosts:
        files.append(each.logs / "report.json")
        files[-1].write_text(each.run("report", "spring", "--parts", "--json").stdout)
    whole = hosts[0].run("report", *map(str, files), "--merge")
    assert whole.returncode == 0, whole.stdout


def to_cut(database: Engine) -> int:
    with database.connect() as connection:
        query = sa.select(sa.func.count()).where(log_parts.c.to_cut == sa.true())
        return connection.execute(query).scalar_one()


def lines_of(logs: Path, campaign: str = "spring") -> list[str]:
    """Every line of every task's log."""
    return [
        line
        for each in sorted((logs / campaign).glob("task_?.log"))
        for line in each.read_text().splitlines(keepends=True)
    ]


def assert_parts_are_where_the_record_says(now: Snapshot, logs: list[Path], messages: dict[int, str]) -> None:
    folders = {owner_of(each): each for each in logs}
    for shard in now.shards:
        reached = shard.after_id
        for part in now.parts[shard.number]:
            assert part.first_id == reached + 1
            reached = part.last_id
            log = log_path(folders[part.folder], now.campaign.name, shard.number).read_bytes()
            theirs = [messages[each] for each in range(part.first_id, part.last_id + 1) if each in messages]
            assert log[part.from_byte : part.to_byte].decode() == "".join(theirs)
            assert part.tally.sent == len(theirs)
        assert reached == shard.to_id
        for name, folder in folders.items():
            path = log_path(folder, now.campaign.name, shard.number)
            size = path.stat().st_size if path.exists() else 0
            assert size == end_of(now.parts[shard.number], name)
