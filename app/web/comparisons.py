"""Logs of campaigns that failed, compared before somebody is asked whether they go on: one campaign after the other. A
log of two million takes seconds, in which pages say how far it is."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from app import config
from app.campaigns.snapshot import Snapshot
from app.domain.differences import Differences
from app.sentence import Sentence
from app.web.jobs import drop_oldest, outcome
from app.web.one_by_one import OneByOne

MOST_WAITING = 8
MOST_KEPT = 100
AT_ONCE_S = 0.5
"""So long a page waits for what is compared; a small log is by then."""
FRESH_S = 60.0
"""What was found counts so long, where it was not shown before: whoever mended a log looks again."""


@dataclass(slots=True)
class Comparing:
    """One of them. It is over once there is something found, or a reason why not."""

    of: Snapshot
    tasks_done: int = 0
    tasks: int = 0
    found: Differences | None = None
    why_not: Sentence | None = None
    ended_at: float | None = None
    """time.monotonic"""
    was_shown: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def counts_for(self, now: Snapshot) -> bool:
        """Whether it says something of what is there now."""
        is_fresh = self.ended_at is None or (not self.was_shown and time.monotonic() < self.ended_at + FRESH_S)
        return is_fresh and self.of.shards == now.shards


class Comparisons:
    """For one event loop. They are kept in this process, the newest of each campaign."""

    def __init__(self, database: Engine, log_dir: Path) -> None:
        self._database = database
        self._log_dir = log_dir
        self._thread = OneByOne("comparisons", MOST_WAITING, Sentence("too_busy.comparisons"))
        self._kept: dict[int, Comparing] = {}
        """By the campaign's id, the newest last."""
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    async def of(self, now: Snapshot) -> Comparing:
        """The one that is under way or was not shown yet, or a new one; soon: it need not be over."""
        found = self._kept.get(now.campaign.id)
        if found is None or not found.counts_for(now):
            found = self._begin(now)
        try:
            async with asyncio.timeout(AT_ONCE_S):
                await found.over.wait()
        except TimeoutError:
            return found
        found.was_shown = True
        return found

    def newest(self, campaign_id: int) -> Comparing | None:
        """Of this campaign; None where there is none."""
        return self._kept.get(campaign_id)

    def leave(self) -> None:
        """Nobody waits for them any more; what is under way ends after the task that it is at."""
        self._is_leaving = True
        for each in self._under_way:
            each.cancel()
        self._thread.close()

    def _begin(self, now: Snapshot) -> Comparing:
        made = Comparing(now)
        self._kept.pop(now.campaign.id, None)
        self._kept[now.campaign.id] = made
        drop_oldest(self._kept, MOST_KEPT, lambda each: each.over.is_set())
        task = asyncio.create_task(self._carry_out(made))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return made

    async def _carry_out(self, made: Comparing) -> None:
        try:
            job = self._thread.run(lambda: self._compare(made))
            made.found, made.why_not = await outcome(job, Sentence("differences.no_database"))
        finally:
            made.ended_at = time.monotonic()
            made.over.set()

    def _compare(self, made: Comparing) -> Differences:
        config.tune_numpy()
        from app.audit.compare_logs import compare_logs  # noqa: PLC0415  it needs numpy, which takes memory

        def on_task(done: int, tasks: int) -> None:
            made.tasks_done, made.tasks = done, tasks
            if self._is_leaving:
                raise asyncio.CancelledError

        return compare_logs(self._database, self._log_dir, made.of, on_task)
