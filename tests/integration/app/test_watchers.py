"""Who watches a campaign hears of every change."""

import asyncio

import pytest

from app.campaigns.snapshot import Snapshot, snapshot
from app.domain.campaign import State, Verb
from app.sentence import Sentence
from app.store import campaigns
from app.store.database import writing
from app.trigger import watchers
from app.trigger.watchers import Watchers
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import move_in, person

WITHIN_S = 10.0


@pytest.fixture
def campaign(sqlite):
    move_in(sqlite, [person(10), person(20)])
    return trigger(sqlite, "a", 10)


@pytest.fixture
def only_when_told(monkeypatch):
    """Nobody looks by himself."""
    monkeypatch.setattr(watchers, "LOOK_EVERY_S", 1000.0)


def end(database, campaign):
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, Verb.FAIL, Sentence("plain", text="for a test"))


async def follow(watching: Watchers, campaign, on_each=lambda seen: None) -> list[Snapshot]:
    seen = []
    async with asyncio.timeout(WITHIN_S):
        async for each in watching.follow(campaign):
            seen.append(each)
            on_each(seen)
    return seen


def test_a_watcher_sees_each_change_once_until_the_end(sqlite, campaign, only_when_told):
    watching = Watchers(sqlite)

    def next_step(seen: list[Snapshot]) -> None:
        if len(seen) == 1:
            change_shard(sqlite, campaign, sent=5, last_id=5)
        elif len(seen) == 2:
            end(sqlite, campaign)
        watching.tell(campaign.id)
        watching.tell(campaign.id)

    seen = asyncio.run(follow(watching, campaign, next_step))

    assert [(each.campaign.state, each.tally.sent) for each in seen] == [
        (State.RUNNING, 0),
        (State.RUNNING, 10),
        (State.FAILED, 10),
    ]


def test_a_change_while_a_watcher_looks_for_the_first_time_is_not_missed(sqlite, campaign, only_when_told, monkeypatch):
    watching = Watchers(sqlite)
    looks = []

    def slow_look(database, name):
        now = snapshot(database, name)
        if not looks:
            end(sqlite, campaign)
            asyncio.run_coroutine_threadsafe(tell(), loops[0]).result(WITHIN_S)
        looks.append(now)
        return now

    async def tell():
        watching.tell(campaign.id)

    async def scene():
        loops.append(asyncio.get_running_loop())
        return await follow(watching, campaign)

    loops = []
    monkeypatch.setattr(watchers, "snapshot", slow_look)
    seen = asyncio.run(scene())

    assert [each.campaign.state for each in seen] == [State.RUNNING, State.FAILED]


def test_a_change_that_nobody_tells_is_seen_all_the_same(sqlite, campaign, monkeypatch):
    monkeypatch.setattr(watchers, "LOOK_EVERY_S", 0.01)

    seen = asyncio.run(follow(Watchers(sqlite), campaign, lambda _: end(sqlite, campaign)))

    assert seen[-1].campaign.state is State.FAILED


def test_a_process_that_leaves_lets_its_watchers_go(sqlite, campaign, only_when_told):
    watching = Watchers(sqlite)

    seen = asyncio.run(follow(watching, campaign, lambda _: watching.dismiss()))

    assert [each.campaign.state for each in seen] == [State.RUNNING]


def test_nobody_is_remembered_who_has_gone(sqlite, campaign, only_when_told):
    watching = Watchers(sqlite)

    async def scene():
        async for _ in watching.follow(campaign):
            break

    asyncio.run(scene())

    assert watching._feeds == {}


def test_all_who_watch_a_campaign_are_served_by_one_look(sqlite, campaign, only_when_told, monkeypatch):
    watching, looks = Watchers(sqlite), []

    def look(database, name):
        looks.append(name)
        return snapshot(database, name)

    def end_once_all_are_there(seen: list[Snapshot]) -> None:
        there.append(seen)
        if len(there) == 50:
            end(sqlite, campaign)
            watching.tell(campaign.id)

    async def scene():
        return await asyncio.gather(*(follow(watching, campaign, end_once_all_are_there) for _ in range(50)))

    there = []
    monkeypatch.setattr(watchers, "snapshot", look)
    seen = asyncio.run(scene())

    assert [[each.campaign.state for each in some] for some in seen] == [[State.RUNNING, State.FAILED]] * 50
    assert len(looks) <= 3  # a first one, one that the others asked for, and one that sees the end


def test_a_watcher_is_told_the_same_again_while_nothing_changes(sqlite, campaign, only_when_told, monkeypatch):
    monkeypatch.setattr(watchers, "HEARTBEAT_S", 0.01)
    watching = Watchers(sqlite)

    def end_at_the_third(seen: list[Snapshot]) -> None:
        if len(seen) == 3:
            watching.dismiss()

    first, *others = asyncio.run(follow(watching, campaign, end_at_the_third))

    assert len(others) >= 2
    assert all(each is first for each in others)


def test_a_database_that_is_away_is_an_error_for_all_who_watch_and_for_nobody_after_them(
    sqlite, campaign, only_when_told, monkeypatch
):
    watching, looks = Watchers(sqlite), []

    def look(database, name):
        looks.append(name)
        if len(looks) == 1:
            raise OSError("no way there")
        return snapshot(database, name)

    async def scene():
        both = await asyncio.gather(*(follow(watching, campaign) for _ in range(2)), return_exceptions=True)
        end(sqlite, campaign)
        return both, await follow(watching, campaign)

    monkeypatch.setattr(watchers, "snapshot", look)
    both, later = asyncio.run(scene())

    assert [str(each) for each in both] == ["no way there"] * 2
    assert [each.campaign.state for each in later] == [State.FAILED]
