"""Sees to it that every open shard gets its task: after a trigger, after a restart, after a failure, the same way.

One event worker does it. It looks into the database, so nothing depends on what a dead process knew. What is not out
yet waits there; see turns.py for which is next.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import NoResultFound, SQLAlchemyError

from app.campaigns.finish import close_complete
from app.catalogue import english
from app.domain.orders import CensusOrder, CensusReport, Outcome, PrepareOrder, ShardOrder
from app.runners.base import Runner
from app.runners.orders import Order, Report
from app.runners.turns import Turns
from app.runners.work import note_closed
from app.sentence import read
from app.store import campaigns, shards
from app.store.faults import reason
from app.threads import Threads

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 1.0
LONGEST_PAUSE_S = 30.0
LONGEST_AWAY_S = 1.5
"""Between looks for a database that is away; one process looks."""
TAKEN_PAUSE_S = 2.0
LOST_AFTER_S = 600.0
"""An order that is out for so long, and at whose shard nobody is seen to work, is given out anew. One too many does no
harm: a shard is claimed."""
COUNT_EVERY_S = 1.0
"""A shard that is new may be counted again so soon."""
THREADS = 2
"""One for the sweeps, one for reports of tasks."""


@dataclass(slots=True)
class _Pause:
    """An order that is not to be tried before `until` (monotonic seconds), after `failures` in a row."""

    failures: int
    until: float
    why: str = ""


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, up to 30, and a part of it by chance, so that
    all who failed together do not come back together."""
    longest = min(LONGEST_PAUSE_S, 2.0 ** (failures - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  nobody has to be unable to guess it


class Scheduler:
    """`owner` is the name of the folder of logs, `task_workers` how many there are. `changed(campaign_id)` tells who
    watches. While `is_stopping()` nothing is given out."""

    def __init__(
        self,
        database: Engine,
        log_dir: Path,
        owner: str,
        *,
        task_workers: int,
        runner: Runner,
        changed: Callable[[int], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._log_dir = log_dir
        self._owner = owner
        self._runner = runner
        self._changed = changed
        self._is_stopping = is_stopping
        self._turns = Turns[PrepareOrder | ShardOrder](task_workers)
        self._posted: dict[PrepareOrder | ShardOrder, float] = {}
        """When it was posted, or seen to be worked on after that; monotonic seconds."""
        self._is_counting = False
        self._pauses: dict[Order, _Pause] = {}
        self._nudge = asyncio.Event()
        self._threads = Threads("scheduler", THREADS)
        self._said_elsewhere: dict[tuple[int, str], list[int]] = {}

    def nudge(self) -> None:
        """There may be something new: look now."""
        self._nudge.set()

    async def run(self) -> None:
        """Sweep now, at each nudge, and every second; for ever. An unreachable database is tried again."""
        try:
            await self._run()
        finally:
            self._runner.close()
            self._threads.close()

    async def _run(self) -> None:
        failures = 0
        while True:
            self._nudge.clear()
            try:
                await self._sweep()
                if failures:  # what broke down with the database need not wait any longer
                    failures = 0
                    self._pauses.clear()
                    self.nudge()
            except SQLAlchemyError as error:
                failures += 1
                if failures == 1:
                    log.warning("database cannot be read, trying again", extra={"error": reason(error)})
            except Exception:  # a scheduler that is gone would leave every campaign lying, and nobody would hear of it
                failures += 1
                log.exception("shards could not be given out, trying again")
            pause_s = min(LONGEST_AWAY_S, SWEEP_EVERY_S * pause_after(failures)) if failures else SWEEP_EVERY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._nudge.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        await self._close_complete()
        for order in [*self._posted]:
            await self._look_for(order)
        found, has_uncounted = await self._threads.run(self._waiting)
        self._turns.renew([each for each in found if self._may_go_out(each)], self._posted)
        self._give_out()
        if has_uncounted:
            self._have_counted()

    def _may_go_out(self, order: Order) -> bool:
        pause = self._pauses.get(order)
        return order not in self._posted and not (pause and time.monotonic() < pause.until)

    def _give_out(self) -> None:
        """As many as there is room for."""
        while not self._is_stopping() and (order := self._turns.take(self._posted)):
            self._runner.post(order)
            self._posted[order] = time.monotonic()

    def _have_counted(self) -> None:
        """Beside the others: a campaign need not wait for it."""
        census = CensusOrder()
        if self._is_counting or self._is_stopping() or not self._may_go_out(census):
            return
        self._runner.post(census)
        self._is_counting = True

    async def _look_for(self, order: Order) -> None:
        """Forget an order that does not come back, as when somebody removed the queue that it was in."""
        if order not in self._posted or time.monotonic() < self._posted[order] + LOST_AFTER_S:
            return
        is_at_work = isinstance(order, ShardOrder) and await self._threads.run(self._is_at_work, order)
        if order not in self._posted:  # it came back just now
            return
        if is_at_work:
            self._posted[order] = time.monotonic()
        else:
            self._posted.pop(order, None)
            log.warning("task did not come back, it is given out anew", extra=_facts(order))

    def _is_at_work(self, order: ShardOrder) -> bool:
        try:
            with self._database.connect() as connection:
                shard = shards.get(connection, order.campaign_id, order.number)
        except NoResultFound:  # somebody removed the campaign
            return False
        return shard.is_held

    def _waiting(self) -> tuple[list[PrepareOrder | ShardOrder], bool]:
        """What waits, and whether some are not counted."""
        with self._database.connect() as connection:
            self._say_elsewhere(shards.elsewhere(connection, self._owner))
            return [
                *(PrepareOrder(campaign_id) for campaign_id in campaigns.unprepared(connection)),
                *(ShardOrder(*each) for each in shards.waiting(connection, self._owner)),
            ], shards.has_uncounted(connection)

    def _say_elsewhere(self, found: dict[tuple[int, str], list[int]]) -> None:
        for (campaign_id, owner), numbers in found.items():
            if self._said_elsewhere.get((campaign_id, owner)) != numbers:
                facts = {"campaign_id": campaign_id, "shards": numbers, "folder": owner}
                log.warning("shards wait for the folder of logs that they are in, see status", extra=facts)
        self._said_elsewhere = found

    async def on_report(self, report: Report) -> None:
        """A task is over, and closed what it finished."""
        if isinstance(report, CensusReport):
            self._on_counted(report)
            return
        order = report.order
        facts = {**_facts(order), "outcome": report.outcome}
        if isinstance(order, PrepareOrder):
            if report.outcome is Outcome.COMPLETE:
                log.info("campaign prepared", extra=facts)
                self.nudge()
        elif report.outcome is Outcome.FAILED:
            log.error("campaign failed, its state says why", extra=facts)
        elif report.outcome is Outcome.HALTED:
            log.info("shard halted, its campaign does not run", extra=facts)
        self._posted.pop(order, None)
        if report.outcome is Outcome.BLOCKED:
            self._pause(order, report.reason)
        else:
            before = self._pauses.pop(order, None) or _Pause(0, 0.0)
            if report.outcome is Outcome.TAKEN:  # it says nothing of what was wrong before
                self._pauses[order] = _Pause(before.failures, time.monotonic() + TAKEN_PAUSE_S, before.why)
            elif report.outcome is Outcome.SLICE:
                self._turns.put_back(order)
            elif report.outcome is Outcome.STOPPED:
                self.nudge()
            self._changed(order.campaign_id)
        self._fill_up()

    def _on_counted(self, report: CensusReport) -> None:
        self._is_counting = False
        if report.outcome is Outcome.BLOCKED:
            self._pause(report.order, report.reason)
        else:
            self._pauses[report.order] = _Pause(0, time.monotonic() + COUNT_EVERY_S)

    def _fill_up(self) -> None:
        """A task is over, and there is room for another."""
        try:
            self._give_out()
        except Exception:  # the next sweep tries again
            log.exception("shards could not be given out, trying again")

    async def _close_complete(self) -> None:
        """Those whose last task died between the end of its shard and theirs."""
        closed = await self._threads.run(close_complete, self._database, self._log_dir, self._owner)
        note_closed(closed)
        for campaign_id, _ in closed:
            self._changed(campaign_id)

    def on_error(self, order: Order, error: Exception) -> None:
        """A task broke down, or could not be carried: there is another one after a pause that grows from 1 s to 30."""
        if isinstance(order, CensusOrder):
            self._is_counting = False
        elif self._posted.pop(order, None) is None:
            return
        self._pause(order, str(error))
        self._fill_up()

    def _pause(self, order: Order, why: str) -> None:
        before = self._pauses.get(order) or _Pause(0, 0.0)
        failures = before.failures + 1
        pause_s = round(pause_after(failures), 3)
        self._pauses[order] = _Pause(failures, time.monotonic() + pause_s, why)
        if why == before.why and str(failures).strip("0") != "1":  # told at 1, 10, 100, … of them
            return
        error = english().word_or(read(why), why)
        facts = {**_facts(order), "times": failures, "pause_s": pause_s, "error": error}
        if isinstance(order, CensusOrder):
            log.warning("audience not counted, trying again", extra=facts)
        elif isinstance(order, PrepareOrder):
            log.warning("preparation broke down, trying again", extra=facts)
        else:
            log.warning("shard broke down, trying again", extra=facts)


def _facts(order: Order) -> dict[str, object]:
    if isinstance(order, CensusOrder):
        return {}
    shard = {} if isinstance(order, PrepareOrder) else {"shard": order.number}
    return {"campaign_id": order.campaign_id, **shard}
