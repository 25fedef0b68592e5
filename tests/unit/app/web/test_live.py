"""What moves: one look a second for everybody, and an end when the server is told to go."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import OperationalError

from app.threads import Threads
from app.web import live as module
from app.web.live import Live, event
from app.web.looks import Looks

WITHIN_S = 10.0


@dataclass
class Stage:
    """A database that counts how often it is looked at, and may be away."""

    looks: int = 0
    is_away: bool = False
    shown: list[str] = field(default_factory=list)

    def connect(self):
        self.looks += 1
        if self.is_away:
            raise OperationalError("", None, Exception("away"))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@dataclass(frozen=True)
class Scene:
    """Shows how often was looked, or always the same."""

    name: str
    stage: Stage = field(hash=False, compare=False)
    moves: bool = True

    @property
    def view(self):
        return self

    def read(self, connection):
        return self.stage.looks if self.moves else 0

    async def show(self, seen, language):
        if self.name == "broken":
            raise RuntimeError("of a template")
        self.stage.shown.append(self.name)
        return f"{self.name} {language} {seen}"


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(module, "EVERY_S", 0.02)


def play(stage, scene):
    """Run what `scene(live)` does."""

    async def run():
        threads = Threads("test", 2)
        live = Live(Looks(stage, threads))
        try:
            async with asyncio.timeout(WITHIN_S):
                return await scene(live)
        finally:
            live.end()
            threads.close()

    return asyncio.run(run())


async def take(live, scene, count, language="en"):
    events = live.follow(scene, language)
    try:
        return [await anext(events) for _ in range(count)]
    finally:
        await events.aclose()


def test_fifty_who_look_at_the_same_cost_one_look_and_one_drawing(stage):
    async def scene(live):
        return await asyncio.gather(*(take(live, Scene("a", stage), 3) for _ in range(50)))

    every = play(stage, scene)

    assert all(each == every[0] for each in every)
    assert stage.looks <= 4
    assert len(stage.shown) <= 4


def test_who_look_at_different_things_share_one_look(stage):
    async def scene(live):
        return await asyncio.gather(*(take(live, Scene(name, stage), 3) for name in "abcdef"))

    play(stage, scene)

    assert stage.looks <= 4


def test_while_nobody_looks_the_database_is_left_alone(stage):
    async def scene(live):
        await take(live, Scene("a", stage), 1)
        before = stage.looks
        await asyncio.sleep(0.2)
        return before

    before = play(stage, scene)

    assert stage.looks - before <= 1


def test_what_does_not_change_is_not_sent_again_and_the_line_is_kept_open(stage, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.1)

    first, second = play(stage, lambda live: take(live, Scene("a", stage, moves=False), 2))

    assert first == "data: a en 0\n\n"
    assert second.startswith(":")


def test_a_database_that_is_away_is_told_and_its_return_is_shown(stage):
    async def scene(live):
        events = live.follow(Scene("a", stage), "en")
        first = await anext(events)
        stage.is_away = True
        while not (away := await anext(events)).startswith("event: away"):
            pass
        stage.is_away = False
        return first, away, await anext(events)

    first, _, last = play(stage, scene)

    assert first.startswith("data: a")
    assert last.startswith("data: a")


def test_a_page_that_cannot_be_shown_holds_no_other_one_up(stage, caplog):
    async def scene(live):
        broken = asyncio.create_task(take(live, Scene("broken", stage), 1))
        await asyncio.sleep(0)
        found = await take(live, Scene("a", stage), 3)
        broken.cancel()
        return found

    assert len(play(stage, scene)) == 3
    assert "a page cannot be shown" in caplog.text


def test_streams_end_when_the_server_is_told_to_go(stage):
    async def scene(live):
        events = live.follow(Scene("a", stage, moves=False), "en")
        await anext(events)
        asyncio.get_running_loop().call_soon(live.end)
        return [each async for each in events]

    assert play(stage, scene) == []


def test_an_event_keeps_the_lines_of_its_text():
    assert event("", "a\n\nb") == "data: a\ndata: \ndata: b\n\n"
    assert event("away", "") == "event: away\ndata: \n\n"
