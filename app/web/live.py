"""What changes while somebody looks: a fragment of a page, made anew every second for all who look at the same."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from app.config import Language
from app.errors import AppError
from app.store.faults import reason
from app.web.looks import Looks, View

log = logging.getLogger(__name__)

EVERY_S = 1.0
HEARTBEAT_S = 15.0
"""After so long without a change something is sent all the same: nothing else tells that a reader is gone."""
AWAY = "away"


class Scene(Protocol):
    """A fragment: what it looks at, and how that is shown. Equal ones are the same."""

    def __hash__(self) -> int: ...
    @property
    def view(self) -> View[Any]: ...
    async def show(self, seen: Any, language: Language) -> str:
        """As HTML."""
        ...


@dataclass(eq=False)
class _Room:
    """All who look at one scene in one language."""

    followers: int = 0
    latest: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by another one, when there is something new."""

    def tell(self, event: str) -> None:
        if event != self.latest:
            self.latest = event
            self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class Live:
    """For one event loop. However many look, the database is looked at once a second, and not while nobody looks.
    `besides` is seen with it, for whoever asks for that."""

    def __init__(self, looks: Looks, besides: Collection[View[Any]] = ()) -> None:
        self._looks = looks
        self._besides = besides
        self._rooms: dict[tuple[Scene, Language], _Room] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._is_over = False

    def end(self) -> None:
        """Let everybody go."""
        self._is_over = True
        for each in self._rooms.values():
            each.wake()
        if self._ticking:
            self._ticking.cancel()

    async def follow(self, scene: Scene, language: Language) -> AsyncGenerator[str]:
        """Server-sent events, ready to be sent: the fragment when it changed, a comment when it did not for long."""
        key = (scene, language)
        room = self._rooms.setdefault(key, _Room())
        room.followers += 1
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        before = ""
        try:
            while not self._is_over:
                news = room.news
                if room.latest != before:
                    before = room.latest
                    yield before
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            room.followers -= 1
            if not room.followers and self._rooms.get(key) is room:
                del self._rooms[key]

    async def _tick(self) -> None:
        while self._rooms:
            begun = asyncio.get_running_loop().time()
            try:
                await self._look()
            except SQLAlchemyError as error:
                log.warning("database cannot be looked at, trying again", extra={"error": reason(error)})
                for room in self._rooms.values():
                    room.tell(event(AWAY, ""))
            except Exception:  # who looks would see nothing move, and nobody would hear of it
                log.exception("nothing can be looked at, trying again")
            took_s = asyncio.get_running_loop().time() - begun
            await asyncio.sleep(max(0.05, EVERY_S - took_s))

    async def _look(self) -> None:
        rooms = dict(self._rooms)
        seen = await self._looks.see_all({*self._besides, *(scene.view for scene, _ in rooms)})
        for (scene, language), room in rooms.items():
            found = seen[scene.view]
            if isinstance(found, AppError):  # who reloads is told
                continue
            try:
                room.tell(event("", await scene.show(found, language)))
            except Exception:  # the others go on
                log.exception("a page cannot be shown, trying again")


def event(name: str, data: str) -> str:
    """As the stream has it. Pure.

    Source: HTML standard, section 9.2.6, "Interpreting an event stream".
    """
    lines = [f"event: {name}"] if name else []
    return "\n".join([*lines, *(f"data: {line}" for line in data.splitlines() or [""])]) + "\n\n"
