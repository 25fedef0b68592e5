"""Who watches a campaign hears of every change."""

import asyncio

import pytest

from app.domain.campaign import State, Verb
from app.errors import UnknownCampaign
from app.services import progress
from app.services.progress import Snapshot, Watchers, every_snapshot, snapshot
from app.store import campaigns
from app.store.database import writing
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import move_in, person

WITHIN_S = 10.0


@pytest.fixture
def campaign(sqlite):
    move_in(sqlite, [person(20)])
    return trigger(sqlite, "a", 10)


@pytest.fixture
def only_when_told(monkeypatch):
    """Nobody looks by himself."""
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 1000.0)


def end(database, campaign):
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, Verb.FAIL, "for a test")


async def follow(watchers: Watchers, campaign, on_each=lambda seen: None) -> list[Snapshot]:
    seen = []
    async with asyncio.timeout(WITHIN_S):
        async for each in watchers.follow(campaign):
            seen.append(each)
            on_each(seen)
    return seen


def test_a_watcher_sees_each_change_once_until_the_end(sqlite, campaign, only_when_told):
    watchers = Watchers(sqlite)

    def next_step(seen: list[Snapshot]) -> None:
        if len(seen) == 1:
            change_shard(sqlite, campaign, sent=5, last_id=5)
        elif len(seen) == 2:
            end(sqlite, campaign)
        watchers.tell(campaign.id)
        watchers.tell(campaign.id)

    seen = asyncio.run(follow(watchers, campaign, next_step))

    assert [(each.campaign.state, each.sent) for each in seen] == [
        (State.RUNNING, 0),
        (State.RUNNING, 10),
        (State.FAILED, 10),
    ]


def test_a_change_while_a_watcher_looks_for_the_first_time_is_not_missed(sqlite, campaign, only_when_told, monkeypatch):
    watchers = Watchers(sqlite)
    looks = []

    def slow_look(database, name):
        now = snapshot(database, name)
        if not looks:
            end(sqlite, campaign)
            asyncio.run_coroutine_threadsafe(tell(), loops[0]).result(WITHIN_S)
        looks.append(now)
        return now

    async def tell():
        watchers.tell(campaign.id)

    async def scene():
        loops.append(asyncio.get_running_loop())
        return await follow(watchers, campaign)

    loops = []
    monkeypatch.setattr(progress, "snapshot", slow_look)
    seen = asyncio.run(scene())

    assert [each.campaign.state for each in seen] == [State.RUNNING, State.FAILED]


def test_a_change_that_nobody_tells_is_seen_all_the_same(sqlite, campaign, monkeypatch):
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0.01)

    seen = asyncio.run(follow(Watchers(sqlite), campaign, lambda _: end(sqlite, campaign)))

    assert seen[-1].campaign.state is State.FAILED


def test_a_process_that_leaves_lets_its_watchers_go(sqlite, campaign, only_when_told):
    watchers = Watchers(sqlite)

    seen = asyncio.run(follow(watchers, campaign, lambda _: watchers.dismiss()))

    assert [each.campaign.state for each in seen] == [State.RUNNING]


def test_nobody_is_remembered_who_has_gone(sqlite, campaign, only_when_told):
    watchers = Watchers(sqlite)

    async def scene():
        async for _ in watchers.follow(campaign):
            break

    asyncio.run(scene())

    assert watchers._waiting == {}


def test_an_unknown_campaign_is_an_error(sqlite):
    with pytest.raises(UnknownCampaign):
        snapshot(sqlite, "a")


def test_campaigns_come_newest_first(sqlite):
    for name in ("a", "b", "c"):
        trigger(sqlite, name, 10)

    assert [each.campaign.name for each in every_snapshot(sqlite)] == ["c", "b", "a"]


def test_a_campaign_without_customers_is_done(sqlite):
    trigger(sqlite, "a", 10)

    assert (snapshot(sqlite, "a").done, snapshot(sqlite, "a").sent) == (1.0, 0)
