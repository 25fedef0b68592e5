"""What can happen to a fleet. Each is over when it returns, and all runs again; what it measured it gives back."""

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import sqlalchemy as sa

from app.campaigns.control import control
from app.domain.campaign import ShardState, Verb
from app.gateways.log_file.folder import owner_of
from app.runners.base import ANY_FOLDER
from app.store.tables import shards
from tests.acceptance.judge import Judge
from tests.acceptance.three_hosts import LEASE_S, Machine, ThreeHosts
from tests.hosts import BROKER, DATABASE, PROVIDER
from tests.waiting import until

WITHIN_S = 180.0
SILENT_WITHIN_S = 20.0
"""On a machine that is busy the centre itself hears, and writes down, what was sent a while ago."""
BEYOND_S = (LEASE_S + 1.0, LEASE_S + 3.0)
BRIEF_S = (0.2, 1.0)
CLOCK_S = 60
TIMES = 50
Measured = dict[str, float]
Disturbance = Callable[["Scene"], Measured | None]


class Scene:
    """Where it happens: to whom, and for how long, is up to `chance`."""

    def __init__(self, fleet: ThreeHosts, judge: Judge, chance: random.Random) -> None:
        self.fleet = fleet
        self.judge = judge
        self.chance = chance

    def somebody(self) -> Machine:
        return self.chance.choice(list(self.fleet.machines))

    def pass_time(self, between: tuple[float, float]) -> None:
        """What happens takes so long."""
        threading.Event().wait(self.chance.uniform(*between))

    def wait_until_both_get_on(self) -> float:
        """Both campaigns, from now on; how long that took."""
        began, before = time.monotonic(), self._progress()

        def is_further() -> bool:
            return all(now > then for now, then in zip(self._progress(), before, strict=True))

        until(is_further, within_s=WITHIN_S, what=f"both campaigns get on: {before}")
        return time.monotonic() - began

    def _progress(self) -> tuple[int, int]:
        lines = self.judge.centre.log.stat().st_size
        logs = self.fleet.log_folders
        return lines, sum(
            each.stat().st_size for folder in logs for each in (folder / self.judge.logs).glob("task_?.log")
        )

    def cut(self, *addresses: str) -> str:
        """Somebody, for longer than a lease: in both directions, or one."""
        one, ways = self.somebody(), [{}, {}, {"hears": True}, {"is_heard": True}]
        with one.host.cut(*addresses, **self.chance.choice(ways)):
            self.pass_time(BEYOND_S)
        return one.name


# ── links ───────────────────────────────────────────────────────────────────────────────────────


def cut_from_broker_and_database(scene: Scene) -> None:
    """But not from the centre: it could submit on and on."""
    scene.cut(DATABASE, BROKER)


def cable_to_the_hub_is_pulled(scene: Scene) -> None:
    with scene.somebody().host.unplugged("hub"):
        scene.pass_time(BEYOND_S)


def cut_from_the_broker(scene: Scene) -> None:
    scene.cut(BROKER)


def cut_from_the_database(scene: Scene) -> None:
    scene.cut(DATABASE)


def cut_from_the_centre(scene: Scene) -> None:
    scene.cut(PROVIDER)


def a_link_flaps(scene: Scene) -> None:
    one, net = scene.somebody(), scene.chance.choice(["hub", "provider"])
    for _ in range(scene.chance.randint(4, 8)):
        with one.host.unplugged(net):
            scene.pass_time(BRIEF_S)
        scene.pass_time(BRIEF_S)


# ── hosts and processes ─────────────────────────────────────────────────────────────────────────


def a_host_stands_still(scene: Scene) -> None:
    """Beyond its lease, and goes on as if nothing were."""
    with scene.somebody().standing_still():
        scene.pass_time(BEYOND_S)


def a_pool_process_is_killed(scene: Scene) -> None:
    with suppress(psutil.NoSuchProcess):
        scene.chance.choice(scene.somebody().worker.pool()).kill()


def a_worker_is_killed(scene: Scene) -> None:
    one = scene.somebody()
    one.worker.kill()
    scene.pass_time(BEYOND_S)
    one.worker.start()


def a_host_is_killed(scene: Scene) -> Measured:
    """All of it; how long it took until others had what it was at."""
    one, judge = scene.somebody(), scene.judge
    until(lambda: _held_by(scene, one), within_s=WITHIN_S, what=f"{one.name} has something in hand")
    died_at = datetime.now(UTC)
    one.kill()
    before = _held_by(scene, one)

    def taken() -> list[float]:
        found = {}
        for each in judge.claims():
            of = (each.campaign_id, each.shard)
            if of in before and each.at > died_at:
                found.setdefault(of, (each.at - died_at).total_seconds())
        return list(found.values()) if len(found) == len(before) else []

    took = until(taken, within_s=WITHIN_S, what=f"others have {before}") if before else []
    one.start()
    return {"takeover, last shard": max(took)} if took else {}


def a_clock_is_ahead(scene: Scene) -> None:
    _set_clock(scene, CLOCK_S)


def a_clock_is_behind(scene: Scene) -> None:
    _set_clock(scene, -CLOCK_S)


def _set_clock(scene: Scene, by_s: int) -> None:
    one = scene.somebody()
    one.clock.set_ahead(by_s)
    try:
        scene.pass_time(BEYOND_S)
    finally:
        one.clock.set_ahead(0)


# ── the broker, and who gives out ───────────────────────────────────────────────────────────────


def the_broker_is_killed_and_its_disk_wiped(scene: Scene) -> None:
    broker = scene.fleet.broker
    broker.kill()
    broker.wipe()
    scene.pass_time((0.5, LEASE_S))
    broker.start()


def the_queues_are_purged(scene: Scene) -> None:
    for _ in range(20):
        scene.fleet.purge()
        scene.pass_time((0.02, 0.1))


def every_order_is_posted_fifty_times(scene: Scene) -> None:
    judge, fleet = scene.judge, scene.fleet
    with judge.database.connect() as connection:
        ids = {name: judge.id_of(connection, name) for name in (judge.network, judge.logs)}
    fleet.post(ids[judge.network], TIMES)
    for folder in (ANY_FOLDER, owner_of(scene.somebody().worker.logs)):
        fleet.post(ids[judge.logs], TIMES, folder)


def the_scheduler_stands_still_and_there_are_two(scene: Scene) -> None:
    """It wakes up, and knows nothing of the one that took over."""
    servers = [each for each in scene.fleet.machines if each.server]
    with ExitStack() as stack:
        for each in servers[: scene.chance.randint(1, 2)]:
            assert each.server
            assert each.server.server
            for process in _family(each.server.server.pid):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGSTOP)
                    stack.callback(_wake, process)
        scene.pass_time(BEYOND_S)


def the_scheduler_is_killed(scene: Scene) -> Measured:
    """Both servers may be it; the other one takes over."""
    one = scene.chance.choice([each.server for each in scene.fleet.machines if each.server])
    one.kill_everything()
    scene.pass_time(BEYOND_S)
    one.start()
    return {}


# ── people ──────────────────────────────────────────────────────────────────────────────────────


def a_pause_in_a_cut(scene: Scene) -> Measured:
    """Of both campaigns, while a host hears nothing of it; how long each went on."""
    one, fleet, judge = scene.somebody(), scene.fleet, scene.judge
    others = [each for each in fleet.machines if each is not one]
    names = (judge.network, judge.logs)
    with one.host.cut(DATABASE, BROKER), ThreadPoolExecutor(3) as threads:
        cut_at = datetime.now(UTC)
        scene.pass_time(BRIEF_S)
        asked_at = datetime.now(UTC)
        growth = threads.submit(_last_growth, [each.worker.logs / judge.logs for each in others], BEYOND_S[1])
        for each in [threads.submit(control, judge.database, fleet.server.logs, name, Verb.PAUSE) for name in names]:
            each.result()
        grew_s = growth.result()
    last = {name: some[-1].at for name, some in judge.submissions().items() if some}
    went_on_s = [(last.get(each.name, asked_at) - asked_at).total_seconds() for each in others]
    measured = {
        "pause to silence, logs": grew_s,
        "pause to silence, network": max(0.0, *went_on_s),
        "cut to silence": max(0.0, (last.get(one.name, cut_at) - cut_at).total_seconds()),
    }
    assert max(measured.values()) <= SILENT_WITHIN_S, measured
    for name in names:
        control(judge.database, fleet.server.logs, name, Verb.RESUME)
    return measured


def _last_growth(folders: Sequence[Path], within_s: float) -> float:
    """After how many of so many seconds from now a log of these grew last."""
    began = time.monotonic()
    sizes: dict[Path, int] = {}
    last_s = 0.0
    while (now_s := time.monotonic() - began) < within_s:
        for path in (path for folder in folders for path in folder.glob("task_?.log")):
            size = path.stat().st_size
            if size > sizes.get(path, size):
                last_s = now_s
            sizes[path] = size
        threading.Event().wait(0.01)
    return last_s


def _held_by(scene: Scene, one: Machine) -> set[tuple[int, int]]:
    """Campaign and number of the shards that it has in hand."""
    folder = owner_of(one.worker.logs)
    query = sa.select(shards.c.campaign_id, shards.c.number, shards.c.owner)
    query = query.where(shards.c.state != ShardState.FINISHED, shards.c.lease_until_ms > 0)
    with scene.judge.database.connect() as connection:
        rows = connection.execute(query).all()
    return {(row[0], row[1]) for row in rows if row[2] == folder or row[2].startswith(f"{one.name}:")}


def _wake(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


LINKS: Sequence[Disturbance] = (
    cut_from_broker_and_database,
    cable_to_the_hub_is_pulled,
    cut_from_the_broker,
    cut_from_the_database,
    cut_from_the_centre,
    a_link_flaps,
    a_pause_in_a_cut,
)
OTHERS: Sequence[Disturbance] = (
    a_host_stands_still,
    a_pool_process_is_killed,
    a_worker_is_killed,
    a_host_is_killed,
    a_clock_is_ahead,
    a_clock_is_behind,
    the_broker_is_killed_and_its_disk_wiped,
    the_queues_are_purged,
    every_order_is_posted_fifty_times,
    the_scheduler_stands_still_and_there_are_two,
    the_scheduler_is_killed,
)
