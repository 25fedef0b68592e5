"""The doctor, for those who look at a page: asked now and then in a thread, and not while nobody looks."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from app.config import Config
from app.doctor import Finding, Verdict, examine
from app.threads import Threads
from migrations.newest import status

log = logging.getLogger(__name__)

EVERY_S = 60.0
TIMES_AS_LONG = 20.0
"""As it took, the next one is away at least."""


class Findings(NamedTuple):
    """What it found, and when."""

    found: Sequence[Finding]
    at: datetime

    def count(self, verdict: str) -> int:
        """How many are of this verdict."""
        return sum(each.verdict == verdict for each in self.found)

    @property
    def to_see_to(self) -> list[Finding]:
        """Those that are not well, the worst first."""
        bad = [each for each in self.found if each.verdict is not Verdict.OK]
        return sorted(bad, key=lambda each: each.verdict is not Verdict.PROBLEM)


class Checkup:
    """For one event loop; one examination at a time. `clock` in seconds."""

    def __init__(
        self, examine_all: Callable[[], Iterable[Finding]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._examine = examine_all
        self._clock = clock
        self._threads = Threads("doctor", 1)
        self._under_way: asyncio.Task[None] | None = None
        self._due_at = 0.0
        self._latest: Findings | None = None

    def latest(self) -> Findings | None:
        """What was found last, and have it examined anew where that is long ago; None before the first time."""
        is_idle = self._under_way is None or self._under_way.done()
        if is_idle and self._clock() >= self._due_at:
            self._under_way = asyncio.create_task(self._look())
        return self._latest

    async def _look(self) -> None:
        began = self._clock()
        try:
            found = await self._threads.run(lambda: list(self._examine()))
            self._latest = Findings(found, datetime.now(UTC))
        except Exception:  # what is shown stays
            log.exception("nothing could be examined, trying again")
        took_s = self._clock() - began
        self._due_at = self._clock() + max(EVERY_S, TIMES_AS_LONG * took_s)

    def close(self) -> None:
        """Nobody looks any more."""
        if self._under_way:
            self._under_way.cancel()
        self._threads.close()


def examine_quietly(settings: Config) -> Iterable[Finding]:
    """What the doctor finds without a session with any gateway, for those who use them tell how they do, and without
    reading customers, which a campaign would feel. What is of the server's own machine is left out where we only look
    at its logs, as in a container beside it."""
    return examine(settings, status, is_thorough=False, is_server=not _is_read_only(settings))


def _is_read_only(settings: Config) -> bool:
    try:
        return bool(os.statvfs(settings.sms_log_dir).f_flag & os.ST_RDONLY)
    except OSError:
        return False
