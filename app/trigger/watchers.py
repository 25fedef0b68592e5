"""Tells those who watch a campaign of its changes. One look into the database serves everyone in this process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from sqlalchemy import Engine

from app.campaigns.snapshot import Snapshot, snapshot
from app.store.campaigns import Campaign
from app.threads import Threads

LOOK_EVERY_S = 2.0
"""How often a campaign that is watched is looked at without news, should a process die that would have told."""
HEARTBEAT_S = 15.0
"""After so long without a change a watcher gets the last snapshot again. Nothing else tells that it is gone: a client
that closes and one that has only said its last word look alike until something is sent to it."""
THREADS = 2


class Watchers:
    """Everyone in this process who waits for news, by campaign id."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._threads = Threads("watchers", THREADS)
        self._feeds: dict[int, _Feed] = {}
        self._dismissed = False

    def tell(self, campaign_id: int) -> None:
        """Something changed."""
        if feed := self._feeds.get(campaign_id):
            feed.look_again.set()

    def dismiss(self) -> None:
        """Let everyone go who waits: there will be no more news from this process."""
        self._dismissed = True
        for feed in self._feeds.values():
            feed.is_to_end = True
            feed.look_again.set()

    def close(self) -> None:
        """Give the threads back; nobody follows any more."""
        self._threads.close()

    async def follow(self, campaign: Campaign) -> AsyncGenerator[Snapshot, None]:
        """A snapshot now, at each change, and again after HEARTBEAT_S without one; the last one has a final state,
        unless we are dismissed before. Raises what the database raises."""
        feed = self._feeds.get(campaign.id)
        if feed is None or feed.is_over:
            feed = self._feeds[campaign.id] = _Feed(lambda: self._look(campaign), is_to_end=self._dismissed)
        feed.watchers += 1
        feed.look_again.set()  # what it saw last may be LOOK_EVERY_S old
        try:
            async for each in feed.snapshots():
                yield each
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                feed.end()
                if self._feeds.get(campaign.id) is feed:
                    del self._feeds[campaign.id]

    async def _look(self, campaign: Campaign) -> Snapshot:
        return await self._threads.run(snapshot, self._database, campaign.name)


class _Feed:
    """The snapshots of one campaign, for all who follow it."""

    def __init__(self, look: Callable[[], Awaitable[Snapshot]], *, is_to_end: bool) -> None:
        self.watchers = 0
        self.is_to_end = is_to_end
        self.is_over = False
        self.look_again = asyncio.Event()
        self._look = look
        self._latest: Snapshot | None = None
        self._error: Exception | None = None
        self._next = asyncio.Event()
        """Set, and replaced by another one, when there is something new to read here."""
        self._looking = asyncio.create_task(self._run())

    def end(self) -> None:
        self._looking.cancel()

    async def snapshots(self) -> AsyncGenerator[Snapshot, None]:
        """As `Watchers.follow` gives them to one."""
        before: Snapshot | None = None
        while True:
            following = self._next
            if self._latest and self._latest is not before:
                before = self._latest
                yield before
                continue  # there may be a newer one by now
            if self._error:
                raise self._error
            if self.is_over:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await following.wait()
            except TimeoutError:
                if before:
                    yield before

    async def _run(self) -> None:
        try:
            while True:
                self.look_again.clear()
                now = await self._look()
                self._publish(now, is_last=now.campaign.state.is_final or self.is_to_end)
                if self.is_over:
                    return
                await self._wait_for_news()
        except Exception as error:  # whoever follows raises it
            self._error = error
            self._publish(None, is_last=True)

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self.look_again.wait()
        except TimeoutError:
            return

    def _publish(self, now: Snapshot | None, *, is_last: bool) -> None:
        before = self._latest
        is_news = now and (before is None or _shown(now) != _shown(before))
        if is_news:
            self._latest = now
        self.is_over = is_last
        if is_news or is_last:
            self._next.set()
            self._next = asyncio.Event()


def _shown(now: Snapshot) -> tuple[object, ...]:
    return now.campaign, now.progress, now.held_up_by
