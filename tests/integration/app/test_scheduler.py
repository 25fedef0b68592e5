"""Every open shard gets a task, and gets another one when that breaks down."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.campaigns.census import count_audiences
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import CensusOrder, Outcome, PrepareOrder, ShardOrder, ShardReport
from app.runners import scheduler as module
from app.runners import work
from app.runners.orders import Order
from app.runners.scheduler import Scheduler
from app.runners.work import Context
from app.store import campaigns, leases, samples, tables
from app.store.database import writing
from tests.integration.app.campaigns import as_stored, change_shard, shards_of, trigger
from tests.integration.app.people import move_in, person

WITHIN_S = 60.0
NEVER_S = 1000.0
TASK_WORKERS = 2


@pytest.fixture(autouse=True)
def sweep_often(monkeypatch):
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.01)


@dataclass
class Stage:
    """What a scheduler does, seen from outside."""

    database: Engine
    posted: list[ShardOrder] = field(default_factory=list)
    prepared: list[PrepareOrder] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    stopping: bool = False
    post_fails: int = 0
    looks: int = 0
    closed: bool = False
    monkeypatch: pytest.MonkeyPatch = field(kw_only=True)

    def __post_init__(self) -> None:
        sa.event.listen(self.database, "before_cursor_execute", self.look)
        self.scheduler = Scheduler(
            self.database,
            Path("nowhere"),
            "here",
            task_workers=TASK_WORKERS,
            slice_s=0.0,
            runner=self,
            changed=self.changed.append,
            is_stopping=lambda: self.stopping,
        )

    def look(self, *_: object) -> None:
        self.looks += 1

    def post(self, order: Order) -> None:
        """See Runner."""
        if isinstance(order, CensusOrder):
            self.counting = asyncio.create_task(self.count(order))
            return
        if self.post_fails:
            self.post_fails -= 1
            raise RuntimeError("no room")
        if isinstance(order, PrepareOrder):
            self.prepared.append(order)
            return
        self.posted.append(order)

    async def count(self, order: CensusOrder) -> None:
        try:
            await self.scheduler.on_report(work.count(order, self.database, Path("here")))
        except RuntimeError as error:
            self.scheduler.on_error(order, error)

    def close(self) -> None:
        """See Runner."""
        self.closed = True

    async def send_all_of(self, order: ShardOrder) -> None:
        """What a task does that finds nothing left to send."""
        set_done(self.database, order)
        context = Context(
            self.database,
            Path("nowhere"),
            slice_s=1,
            should_stop=lambda: False,
            tell=lambda _: None,
            on_rejected=lambda _: None,
            networks={},
            open_patiently=lambda: self.database,
        )
        self.monkeypatch.setattr(work, "send_shard", lambda *_, **__: ShardReport(order, Outcome.COMPLETE))
        await self.scheduler.on_report(work.perform(order, context))

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        """Run the scene while the scheduler is at work."""

        async def both() -> None:
            scheduling = asyncio.create_task(self.scheduler.run())
            try:
                async with asyncio.timeout(WITHIN_S):
                    await scene()
            finally:
                scheduling.cancel()

        asyncio.run(both())

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  the conditions are many and none of them is an event
            await asyncio.sleep(0.005)

    async def some_sweeps(self, looks: int = 10) -> None:
        before = self.looks
        await self.until(lambda: self.looks > before + looks)


@pytest.fixture
def stage(sqlite, monkeypatch):
    move_in(sqlite, [person(5), person(15), person(25)])
    return Stage(sqlite, monkeypatch=monkeypatch)


@pytest.fixture
def crowded(stage):
    """The same, with a customer for each id from 1 to 25: as many shards as a test likes."""
    move_in(stage.database, [person(number) for number in range(1, 26) if number not in (5, 15, 25)])
    return stage


def test_every_open_shard_is_posted_once(stage):
    campaign = trigger(stage.database, "a", 10)

    async def scene():
        await stage.until(lambda: len(stage.posted) >= 3)
        await stage.some_sweeps()

    stage.play(scene)

    assert stage.posted == [ShardOrder(campaign.id, number) for number in range(3)]


def test_the_progress_of_what_runs_is_sampled(stage, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_EVERY_S", 0.05)
    stage = Stage(stage.database, monkeypatch=monkeypatch)
    campaign = trigger(stage.database, "a", 10)

    def is_sampled():
        with stage.database.connect() as connection:
            return bool(samples.of_campaign(connection, campaign.id))

    stage.play(lambda: stage.until(is_sampled))


def test_a_sample_that_cannot_be_taken_holds_nobody_up_and_is_said(stage, monkeypatch, caplog):
    monkeypatch.setattr(module, "SAMPLE_EVERY_S", 0.0)
    monkeypatch.setattr(module.Sampler, "sample", Mock(side_effect=OperationalError("", None, Exception("away"))))
    stage = Stage(stage.database, monkeypatch=monkeypatch)
    trigger(stage.database, "a", 10)

    async def scene():
        await stage.until(lambda: len(stage.posted) >= 3)
        await stage.until(lambda: "progress not sampled" in caplog.text)

    stage.play(scene)


def test_a_nudge_is_enough_to_look_at_once(stage, monkeypatch):
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 1000.0)

    async def scene():
        await stage.until(lambda: stage.looks > 0)
        trigger(stage.database, "a", 100)
        stage.scheduler.nudge()
        await stage.until(lambda: len(stage.posted) == 1)

    stage.play(scene)


def test_shards_are_given_out_however_many_wait_for_a_thread(stage):
    enough = threading.Event()

    async def scene():
        waiting = [asyncio.create_task(asyncio.to_thread(enough.wait, WITHIN_S)) for _ in range(100)]
        try:
            await stage.some_sweeps()
            trigger(stage.database, "a", 100)
            await stage.until(lambda: len(stage.posted) == 1)
        finally:
            enough.set()
            await asyncio.gather(*waiting)

    stage.play(scene)


def test_an_order_that_does_not_come_back_is_given_out_anew_unless_somebody_works_on_it(stage, monkeypatch, caplog):
    monkeypatch.setattr(module, "CLAIMED_WITHIN_S", 0.02)
    campaign = trigger(stage.database, "a", 20)
    at_work = time.time_ns() // 1_000_000 + 60_000

    async def scene():
        await stage.until(lambda: len(stage.posted) == 2)
        with writing(stage.database) as connection:
            first = sa.and_(tables.shards.c.campaign_id == campaign.id, tables.shards.c.number == 0)
            connection.execute(sa.update(tables.shards).where(first).values(owner="here", lease_until_ms=at_work))
        before = len(stage.posted)
        await stage.until(lambda: len(stage.posted) >= before + 3)
        again.extend(stage.posted[before + 1 :])

    again = []
    stage.play(scene)

    assert set(again) == {ShardOrder(campaign.id, 1)}
    assert "task did not come back, it is given out anew" in caplog.messages


def test_an_order_whose_worker_shows_no_life_any_more_is_given_out_anew_as_soon_as_its_lease_is_over(
    stage, monkeypatch
):
    monkeypatch.setattr(module, "CLAIMED_WITHIN_S", NEVER_S)
    campaign = trigger(stage.database, "a", 100)
    at_work = time.time_ns() // 1_000_000 + 60_000

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        change_shard(stage.database, campaign, lease_until_ms=at_work)
        await stage.some_sweeps(60)
        assert len(stage.posted) == 1
        change_shard(stage.database, campaign, lease_until_ms=1)
        await stage.until(lambda: len(stage.posted) == 2)

    stage.play(scene)


def test_an_order_whose_worker_let_go_in_order_is_waited_for_a_moment_longer(stage, monkeypatch, caplog):
    monkeypatch.setattr(module, "LET_GO_S", NEVER_S)
    campaign = trigger(stage.database, "a", 100)
    at_work = time.time_ns() // 1_000_000 + 60_000

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        change_shard(stage.database, campaign, lease_until_ms=at_work)
        await stage.some_sweeps(60)
        change_shard(stage.database, campaign, lease_until_ms=0)
        await stage.some_sweeps(60)
        assert len(stage.posted) == 1
        monkeypatch.setattr(module, "LET_GO_S", 0.02)
        await stage.until(lambda: len(stage.posted) == 2)

    stage.play(scene)

    assert caplog.messages == ["task did not come back, it is given out anew"]


def test_a_preparation_is_not_lost_as_long_as_somebody_has_its_lease(stage, monkeypatch):
    monkeypatch.setattr(module, "CLAIMED_WITHIN_S", 0.02)
    monkeypatch.setattr(module, "LET_GO_S", 0.02)
    campaign = trigger(stage.database, "a", 100, allow_duplicates=False)

    async def scene():
        await stage.until(lambda: len(stage.prepared) == 1)
        with writing(stage.database) as connection:
            leases.take(connection, PrepareOrder(campaign.id).lease, "elsewhere")
        before = len(stage.prepared)
        await stage.some_sweeps(60)
        assert len(stage.prepared) <= before + 1
        with writing(stage.database) as connection:
            leases.give_back(connection, PrepareOrder(campaign.id).lease, "elsewhere")
        await stage.until(lambda: len(stage.prepared) >= before + 2)

    stage.play(scene)


@pytest.mark.parametrize("is_removed", [False, True])
def test_orders_that_do_not_come_back_give_their_places_to_others_whatever_became_of_their_campaign(
    crowded, monkeypatch, is_removed
):
    monkeypatch.setattr(module, "CLAIMED_WITHIN_S", 0.02)
    lost = trigger(crowded.database, "a", 5)
    small = []

    async def scene():
        await crowded.until(lambda: len(crowded.posted) == 2 * TASK_WORKERS)
        with writing(crowded.database) as connection:
            if is_removed:
                connection.execute(sa.delete(tables.campaigns))
            else:
                campaigns.change(connection, lost.id, Verb.PAUSE)
        small.append(trigger(crowded.database, "b", 25))
        await crowded.until(lambda: ShardOrder(small[0].id, 0) in crowded.posted)

    crowded.play(scene)


def test_the_last_shard_to_be_closed_finishes_the_campaign(stage):
    campaign = trigger(stage.database, "a", 20)
    seen = []

    async def scene():
        await stage.until(lambda: len(stage.posted) == 2)
        for number in (0, 1):
            await stage.send_all_of(ShardOrder(campaign.id, number))
            seen.append(as_stored(stage.database, campaign).state)

    stage.play(scene)

    assert seen == [State.RUNNING, State.FINISHED]
    assert set(stage.changed) == {campaign.id}
    assert as_stored(stage.database, campaign).finished_at is not None


def test_a_campaign_whose_last_task_died_before_it_could_close_it_is_closed_by_a_sweep(stage):
    campaign = trigger(stage.database, "a", 100)
    change_shard(stage.database, campaign, state=ShardState.FINISHED)

    async def scene():
        await stage.until(lambda: as_stored(stage.database, campaign).state is State.FINISHED)

    stage.play(scene)

    assert stage.closed


def test_a_shard_that_could_not_be_closed_is_closed_by_its_next_task(stage, monkeypatch, caplog):
    campaign = trigger(stage.database, "a", 100)

    def away(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("gone away"))

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        with monkeypatch.context() as patched:
            patched.setattr(work, "close_shard", away)
            await stage.send_all_of(stage.posted[0])
        await stage.until(lambda: len(stage.posted) == 2)
        await stage.send_all_of(stage.posted[1])

    stage.play(scene)

    assert "shard could not be closed, trying again" in caplog.messages
    assert as_stored(stage.database, campaign).state is State.FINISHED


def test_a_shard_that_is_not_done_is_not_closed_whatever_the_task_says(stage):
    campaign = trigger(stage.database, "a", 100)

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        await stage.scheduler.on_report(ShardReport(ShardOrder(campaign.id, 0), Outcome.COMPLETE))
        await stage.until(lambda: len(stage.posted) == 2)

    stage.play(scene)

    assert as_stored(stage.database, campaign).state is State.RUNNING


def test_a_shard_whose_task_was_told_to_stop_is_posted_again(stage):
    campaign = trigger(stage.database, "a", 100)

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        await stage.scheduler.on_report(ShardReport(ShardOrder(campaign.id, 0), Outcome.STOPPED))
        await stage.until(lambda: len(stage.posted) == 2)

    stage.play(scene)


def test_a_shard_whose_slice_is_over_is_posted_again_before_its_siblings(crowded):
    campaign = trigger(crowded.database, "a", 2)
    orders = [ShardOrder(campaign.id, number) for number in range(5)]

    async def scene():
        await crowded.until(lambda: len(crowded.posted) == 4)
        for order in orders[1:4]:
            await crowded.scheduler.on_report(ShardReport(order, Outcome.SLICE))
        await crowded.some_sweeps()

    crowded.play(scene)

    assert crowded.posted[:4] == orders[:4]
    (again,) = crowded.posted[4:]  # beside order 0, and none in reserve
    assert again in orders[1:4]


def set_done(database: Engine, order: ShardOrder) -> None:
    shard = sa.and_(tables.shards.c.campaign_id == order.campaign_id, tables.shards.c.number == order.number)
    with writing(database) as connection:
        connection.execute(sa.update(tables.shards).where(shard).values(last_id=tables.shards.c.to_id))


def test_no_more_than_twice_as_many_orders_are_out_as_there_are_task_workers(crowded):
    for name in "abc":
        trigger(crowded.database, name, 1)
    back, most_out = [], []

    async def scene():
        while len(back) < 60:
            await crowded.until(lambda: len(crowded.posted) > len(back))
            await crowded.some_sweeps()
            most_out.append(len(crowded.posted) - len(back))
            order = crowded.posted[len(back)]
            back.append(order)
            await crowded.send_all_of(order)

    crowded.play(scene)

    assert max(most_out) == 2 * TASK_WORKERS
    assert len(set(crowded.posted)) == len(crowded.posted)


def test_a_campaign_that_comes_later_has_its_turn_before_the_rest_of_a_big_one(crowded):
    big = trigger(crowded.database, "big", 1)
    small = []

    async def scene():
        await crowded.until(lambda: len(crowded.posted) == 4)
        small.append(trigger(crowded.database, "small", 100))
        await crowded.some_sweeps()
        await crowded.scheduler.on_report(ShardReport(ShardOrder(big.id, 0), Outcome.SLICE))
        await crowded.until(lambda: len(crowded.posted) == 5)

    crowded.play(scene)

    assert crowded.posted[4] == ShardOrder(small[0].id, 0)


def test_a_shard_that_broke_down_is_posted_again_after_a_pause(stage):
    trigger(stage.database, "a", 100)

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        broke_down_at = time.monotonic()
        stage.scheduler.on_error(stage.posted[0], RuntimeError("disk full"))
        await stage.until(lambda: len(stage.posted) == 2)
        assert time.monotonic() - broke_down_at >= 0.5

    stage.play(scene)


def test_pauses_between_tries_of_a_blocked_shard_grow_to_a_longest_one():
    pauses = [module.pause_after(failures) for failures in range(1, 8)]

    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, (1, 2, 4, 8, 16, 30, 30), strict=True))
    assert len(set(pauses)) > 5  # a part is by chance


def test_a_blocked_shard_is_told_of_at_its_first_tenth_and_hundredth_try_and_for_another_reason(stage, caplog):
    campaign = trigger(stage.database, "a", 100)
    order = ShardOrder(campaign.id, 0)

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        for _ in range(120):
            await stage.scheduler.on_report(ShardReport(order, Outcome.BLOCKED, "no space left"))
            await stage.scheduler.on_report(ShardReport(order, Outcome.TAKEN))  # as a gateway without a free session
        await stage.scheduler.on_report(ShardReport(order, Outcome.BLOCKED, "read-only"))
        await stage.some_sweeps()

    stage.play(scene)

    assert len(stage.posted) == 1
    assert {each.levelname for each in caplog.records} == {"WARNING"}
    told = [(each.times, each.error) for each in caplog.records]
    assert told == [(1, "no space left"), (10, "no space left"), (100, "no space left"), (121, "read-only")]


def test_a_shard_that_got_on_again_is_paused_briefly_the_next_time(stage, caplog):
    campaign = trigger(stage.database, "a", 100)
    order = ShardOrder(campaign.id, 0)
    tries = ((Outcome.BLOCKED, "full"), (Outcome.BLOCKED, "away"), (Outcome.STOPPED, ""), (Outcome.BLOCKED, "away"))

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        for outcome, why in tries:
            await stage.scheduler.on_report(ShardReport(order, outcome, why))

    stage.play(scene)

    pauses = [each.pause_s for each in caplog.records]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, (1, 2, 1), strict=True))


def test_nothing_is_posted_while_the_server_stops(stage):
    trigger(stage.database, "a", 100)
    stage.stopping = True

    stage.play(stage.some_sweeps)

    assert stage.posted == []


def test_a_shard_that_could_not_be_posted_is_posted_at_a_later_sweep(stage):
    trigger(stage.database, "a", 100)
    stage.post_fails = 1

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)

    stage.play(scene)


def test_a_database_that_is_away_is_tried_again_until_it_is_back(stage, tmp_path):
    trigger(stage.database, "a", 100)
    stage.database.dispose()
    file = tmp_path / "sms.db"
    file.rename(tmp_path / "away.db")

    async def scene():
        await stage.some_sweeps()
        assert stage.posted == []
        stage.database.dispose()
        file.unlink(missing_ok=True)
        (tmp_path / "away.db").rename(file)
        await stage.until(lambda: len(stage.posted) == 1)

    stage.play(scene)


def test_pauses_between_looks_grow_while_the_database_is_away_and_end_at_a_longest_one(stage, monkeypatch):
    pauses = []

    class Asyncio:
        """Asyncio, but for pauses that are noted and do not take their time."""

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio, name)

        def timeout(self, delay_s: float) -> asyncio.Timeout:
            pauses.append(delay_s)
            return asyncio.timeout(0.001)

    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone away"))

    async def scene():
        await stage.until(lambda: len(pauses) >= 5)

    monkeypatch.setattr(module, "SWEEP_EVERY_S", 1.0)
    monkeypatch.setattr(module, "LONGEST_AWAY_S", 6.0)
    monkeypatch.setattr(module, "pause_after", lambda failures: 2.0 ** (failures - 1))
    monkeypatch.setattr(module, "asyncio", Asyncio())
    monkeypatch.setattr(module, "close_complete", away)
    stage.play(scene)

    assert pauses[:5] == [1.0, 2.0, 4.0, 6.0, 6.0]


def test_a_closed_campaign_is_told_to_those_who_watch_even_when_its_shard_stays_open(stage, monkeypatch):
    campaign = trigger(stage.database, "a", 100)

    async def scene():
        await stage.until(lambda: len(stage.posted) == 1)
        await stage.scheduler.on_report(ShardReport(ShardOrder(campaign.id, 0), Outcome.FAILED))

    stage.play(scene)

    assert stage.changed == [campaign.id]
    assert len(shards_of(stage.database, campaign)) == 1


def test_the_audience_is_counted_while_the_tasks_are_at_work(stage):
    campaign = trigger(stage.database, "a", 10)

    async def scene():
        await stage.until(lambda: [each.tally.audience for each in shards_of(stage.database, campaign)] == [1, 1, 1])

    stage.play(scene)


def test_an_audience_that_could_not_be_counted_is_counted_at_a_later_sweep(stage, monkeypatch):
    campaign = trigger(stage.database, "a", 100)
    counts = iter([OperationalError("SELECT", {}, Exception("gone away")), RuntimeError("no thread")])

    def count(database: Engine) -> int:
        if error := next(counts, None):
            raise error
        return count_audiences(database)

    async def scene():
        await stage.until(lambda: shards_of(stage.database, campaign)[0].tally.audience == 3)

    monkeypatch.setattr(work, "count_audiences", count)
    stage.play(scene)
