"""Looks at the database: what was seen is given to everybody who asks for it within a second, so that what many people
watch costs no more than what one does."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine

from app.errors import AppError
from app.threads import Threads

FRESH_S = 1.0
MOST_KEPT = 256
Seen = TypeVar("Seen")
Seen_co = TypeVar("Seen_co", covariant=True)


class View(Protocol[Seen_co]):
    """Something that can be looked at; equal ones are the same."""

    def __hash__(self) -> int: ...
    def read(self, connection: Connection) -> Seen_co:
        """Raises what the database raises."""
        ...


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    seen: asyncio.Future[Any]


class Looks:
    """For one event loop. `clock` in seconds."""

    def __init__(self, database: Engine, threads: Threads, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._threads = threads
        self._clock = clock
        self._looks: dict[Any, _Look] = {}
        self._changes = 0

    async def see(self, view: View[Seen]) -> Seen:
        """As it was a second ago at most. Raises what the view raises."""
        return await self._once(view, lambda: self._read(view))

    async def ask(self, call: Callable[[], Seen]) -> Seen:
        """The same for what is no look at the database; who asks again has to give the same function."""
        return await self._once(call, call)

    async def see_all(self, views: Collection[View[Any]]) -> dict[View[Any], Any]:
        """Of each view what is to be seen now, or the error of ours that it raises; one look for all of them, and for
        who asks for one within the next second. Raises what the database raises."""
        now, views, changes = self._clock(), list(views), self._changes
        seen = await self._threads.run(self._read_all, views)
        for view, found in seen.items():
            if not isinstance(found, AppError) and changes == self._changes:
                done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                done.set_result(found)
                self._looks[view] = _Look(now, done)
        return seen

    def forget(self) -> None:
        """Somebody changed something, and is to see it: what was seen before, or is being looked at, is old."""
        self._looks = {}
        self._changes += 1

    async def _once(self, key: Any, call: Callable[[], Seen]) -> Seen:
        now = self._clock()
        look = self._looks.get(key)
        if look is None or (now >= look.at + FRESH_S and look.seen.done()):
            look = self._looks[key] = _Look(now, asyncio.create_task(self._threads.run(call)))
            self._drop_old(now)
        seen: Seen = await asyncio.shield(look.seen)
        return seen

    def _read_all(self, views: Collection[View[Any]]) -> dict[View[Any], Any]:
        seen: dict[View[Any], Any] = {}
        with self._database.connect() as connection:
            for view in views:
                try:
                    seen[view] = view.read(connection)
                except AppError as error:  # as of a campaign that somebody removed
                    seen[view] = error
        return seen

    def _read(self, view: View[Seen]) -> Seen:
        with self._database.connect() as connection:
            return view.read(connection)

    def _drop_old(self, now: float) -> None:
        if len(self._looks) > MOST_KEPT:
            self._looks = {key: each for key, each in self._looks.items() if now < each.at + FRESH_S}
