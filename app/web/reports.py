"""Reports that somebody ordered, for to check a campaign takes a while: one after the other, and one for a campaign at
a time. They are kept in this process, the newest of them, and are gone with it."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from app.audit.verdicts import Verdict, verdict
from app.config import Config
from app.domain.actor import Actor
from app.errors import TooBusy, UnknownReport
from app.sentence import Sentence
from app.store.database import open_configured
from app.threads import Threads
from app.web.jobs import drop_oldest, outcome

MOST_WAITING = 8
"""Reports that are not ready yet."""
MOST_KEPT = 100


@dataclass(slots=True)
class Order:
    """One of them. It is ready once it has a verdict, or a reason why there is none."""

    campaign: str
    by: str
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    ordered_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    verdict: Verdict | None = None
    why_not: Sentence | None = None
    tasks_done: int = 0

    @property
    def is_ready(self) -> bool:
        return self.ended_at is not None

    @property
    def outcome(self) -> Sentence:
        """Once it is ready, in short."""
        found = self.verdict
        if found is None:
            return Sentence("verify.broken")
        if found.agrees:
            return Sentence("verify.agrees")
        if not found.agrees_so_far:
            return Sentence("verify.differs", count=len(found.differences))
        return Sentence("verify.so_far" if all(each.is_whole for each in found.tasks) else "verify.here")


class Reports:
    """For one event loop. `open_own` gives a database of their own: a report has several connections at once."""

    def __init__(self, settings: Config, open_own: Callable[[Config], Engine] = open_configured) -> None:
        self._settings = settings
        self._open_own = open_own
        self._thread = Threads("reports", 1)
        self._orders: dict[str, Order] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    def order(self, campaign: str, by: Actor) -> Order:
        """The one that is under way for this campaign, or a new one. Raises TooBusy."""
        waiting = [each for each in self._orders.values() if not each.is_ready]
        for each in waiting:
            if each.campaign == campaign:
                return each
        if len(waiting) >= MOST_WAITING:
            raise TooBusy("too_busy.reports")
        made = Order(campaign, by.who)
        self._orders[made.id] = made
        drop_oldest(self._orders, MOST_KEPT, lambda each: each.is_ready)
        task = asyncio.create_task(self._carry_out(made))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return made

    def newest(self, campaign: str) -> Order | None:
        """Of this campaign, whoever ordered it; None where there is none."""
        return next((each for each in reversed(self._orders.values()) if each.campaign == campaign), None)

    def find(self, report_id: str) -> Order:
        """Raises UnknownReport."""
        if report_id not in self._orders:
            raise UnknownReport("unknown_report", id=report_id[:64])
        return self._orders[report_id]

    def leave(self) -> None:
        """Nobody waits for them any more; what is under way ends after the task that it is at."""
        self._is_leaving = True
        for each in self._under_way:
            each.cancel()
        self._thread.close()

    async def _carry_out(self, order: Order) -> None:
        try:
            job = self._thread.run(self._check, order)
            order.verdict, order.why_not = await outcome(job, Sentence("report.no_database"))
        finally:
            order.ended_at = datetime.now(UTC)

    def _check(self, order: Order) -> Verdict | None:
        database = self._open_own(self._settings)

        def should_stop() -> bool:  # it is asked after each task
            order.tasks_done += 1
            return self._is_leaving

        try:
            return verdict(database, self._settings.sms_log_dir, order.campaign, should_stop)
        finally:
            database.dispose()
