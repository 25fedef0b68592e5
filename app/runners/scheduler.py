"""Sees to it that every open shard gets its task: after a trigger, after a restart, after a failure, the same way.

One event worker does it. It looks into the database, so nothing depends on what a dead process knew. What is not out
yet waits there; see turns.py for which is next.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.campaigns.finish import close_complete
from app.campaigns.release import cut_back_all
from app.campaigns.sampling import SAMPLE_EVERY_S, Sampler
from app.catalogue import english
from app.domain.orders import CensusOrder, CensusReport, Outcome, PrepareOrder, ShardOrder
from app.errors import UnknownDocument
from app.runners.base import Fleet, Runner
from app.runners.orders import Order, Report, read_report
from app.runners.out import Out
from app.runners.turns import Turns
from app.runners.work import note_closed
from app.sentence import read
from app.store import campaigns, hosts, leases, shards
from app.store.faults import reason, text_of
from app.threads import Threads

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 1.0
LONGEST_PAUSE_S = 30.0
LONGEST_AWAY_S = 1.5
"""Between looks for a database that is away; one process looks."""
TAKEN_PAUSE_S = 2.0
CLAIMED_WITHIN_S = 15.0
"""An order is taken up as soon as those before it had their slice and their last answers. One that is out for so much
longer, with nobody seen to be at it, is given out anew. One too many does no harm: what it is about has to be claimed.
"""
LET_GO_S = 5.0
"""Who was seen to be at it, and let go of it in order, reports by then: a task over a network ends a session before."""
COUNT_EVERY_S = 1.0
"""A shard that is new may be counted again so soon."""
THREADS = 3
"""One for the sweeps, one for samples of progress, one for reports of tasks."""


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


@dataclass(frozen=True, slots=True)
class _Found:
    """What a sweep finds in the database."""

    waiting: list[PrepareOrder | ShardOrder]
    has_uncounted: bool
    held: dict[tuple[int, int], bool]
    leases: dict[str, bool]
    """Of shards and of others: who did not let go of them, and whether they show signs of life."""

    def is_alive(self, order: Order) -> bool | None:
        """See Out."""
        if isinstance(order, ShardOrder):
            return self.held.get((order.campaign_id, order.number))
        return self.leases.get(order.lease)


class Scheduler:
    """`owner` is the name of the folder of logs, `task_workers` how many there are, `slice_s` how long a task sends at
    a stretch. `changed(campaign_id)` tells who watches. While `is_stopping()` nothing is given out. `fleet`, where the
    workers are not the server's own: it says how many there are, and of its schedulers one at a time gives out orders,
    closes and counts."""

    def __init__(
        self,
        database: Engine,
        log_dir: Path,
        owner: str,
        *,
        task_workers: int,
        slice_s: float,
        runner: Runner,
        fleet: Fleet | None = None,
        sweep_every_s: float | None = None,
        changed: Callable[[int], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._log_dir = log_dir
        self._owner = owner
        self._runner = runner
        self._fleet = fleet
        self._is_chosen = fleet is None
        self._sweep_every_s = sweep_every_s
        self._changed = changed
        self._is_stopping = is_stopping
        self._turns = Turns[PrepareOrder | ShardOrder](task_workers)
        self._slice_s = slice_s
        self._posted: dict[PrepareOrder | ShardOrder, Out] = {}
        self._counting: Out | None = None
        self._pauses: dict[Order, _Pause] = {}
        self._nudge = asyncio.Event()
        self._threads = Threads("scheduler", THREADS)
        self._sampler = Sampler(database)
        self._sampling: asyncio.Task[None] | None = None
        self._sample_at = time.monotonic() + SAMPLE_EVERY_S
        self._said_no_folder = False
        self._said_elsewhere: dict[tuple[int, str], list[int]] = {}

    @property
    def out(self) -> int:
        """How many orders are out."""
        return len(self._posted)

    def nudge(self) -> None:
        """There may be something new: look now."""
        self._nudge.set()

    async def run(self) -> None:
        """Sweep now, at each nudge, and every second; for ever. An unreachable database is tried again."""
        try:
            await self._run()
        finally:
            if self._sampling:
                self._sampling.cancel()
            self._runner.close()
            self._retire()
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
            every_s = self._sweep_every_s or SWEEP_EVERY_S
            pause_s = min(LONGEST_AWAY_S, SWEEP_EVERY_S * pause_after(failures)) if failures else every_s
            try:
                async with asyncio.timeout(pause_s):
                    await self._nudge.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        await self._threads.run(cut_back_all, self._database, self._log_dir, self._owner)
        if self._fleet and not await self._is_our_turn(self._fleet):
            return
        await self._close_complete()
        found = await self._threads.run(self._look)
        self._forget_lost(found)
        self._turns.renew([each for each in found.waiting if self._may_go_out(each)], self._posted)
        self._give_out()
        if found.has_uncounted:
            self._have_counted()
        if time.monotonic() >= self._sample_at and (self._sampling is None or self._sampling.done()):
            self._sample_at = time.monotonic() + SAMPLE_EVERY_S
            self._sampling = asyncio.create_task(self._sample())

    async def _sample(self) -> None:
        """Beside the sweeps, which are not to wait for it."""
        try:
            await self._threads.run(self._sampler.sample)
        except SQLAlchemyError as error:
            log.warning("progress not sampled, trying again", extra={"error": reason(error)})
        except Exception:
            log.exception("progress not sampled, trying again")

    async def _is_our_turn(self, fleet: Fleet) -> bool:
        """Whether this is the scheduler that gives out orders; and hear what became of those that are out."""
        lease, was_chosen = fleet.lease, self._is_chosen
        if not lease.is_ours or lease.is_due:
            await self._threads.run(lease.take)
        self._is_chosen = lease.is_ours
        if self._is_chosen != was_chosen:  # whatever another one gave out is given out anew, which does no harm
            self._posted.clear()
            self._counting = None
            said = "this server gives out the orders now" if self._is_chosen else "another server gives out the orders"
            log.info(said)
        if self._is_chosen:
            for text in await self._threads.run(fleet.reports):
                await self._hear(text)
            self._turns.task_workers = await self._threads.run(fleet.places)
        return self._is_chosen

    async def _hear(self, text: str) -> None:
        try:
            report = read_report(text)
        except UnknownDocument as error:
            log.warning("report is not known here, dropped", extra={"kind": error.kind, "version": error.version})
        else:
            await self.on_report(report)

    def _retire(self) -> None:
        """Another one need not wait for our lease to end."""
        if self._fleet and self._fleet.lease.is_ours:
            with suppress(SQLAlchemyError):  # it ends by itself
                self._fleet.lease.give_back()

    def _may_go_out(self, order: Order) -> bool:
        pause = self._pauses.get(order)
        return order not in self._posted and not (pause and time.monotonic() < pause.until)

    def _give_out(self) -> None:
        """As many as there is room for."""
        while self._may_give_out and (order := self._turns.take(self._posted)):
            self._runner.post(order)
            self._posted[order] = Out()

    @property
    def _may_give_out(self) -> bool:
        return not self._is_stopping() and (self._fleet is None or self._fleet.lease.is_ours)

    def _have_counted(self) -> None:
        """Beside the others: a campaign need not wait for it."""
        census = CensusOrder()
        if self._counting or not self._may_give_out or not self._may_go_out(census):
            return
        self._runner.post(census)
        self._counting = Out()

    def _forget_lost(self, found: _Found) -> None:
        """Orders that do not come back: of a worker that died far from here, or because somebody removed the queue that
        they were in. What is to be done is given out anew."""
        within_s = self._slice_s + CLAIMED_WITHIN_S
        for order, out in [*self._posted.items()]:
            if out.is_lost(found.is_alive(order), within_s, LET_GO_S):
                del self._posted[order]
                log.warning("task did not come back, it is given out anew", extra=_facts(order))
        if self._counting and self._counting.is_lost(found.is_alive(CensusOrder()), within_s, LET_GO_S):
            self._counting = None

    def _look(self) -> _Found:
        with self._database.connect() as connection:
            self._say_elsewhere(shards.elsewhere(connection, self._owner))
            folders = hosts.folders(connection) if self._fleet else None
            self._say_no_folder(folders is not None and not folders)
            return _Found(
                [
                    *(PrepareOrder(campaign_id) for campaign_id in campaigns.unprepared(connection)),
                    *(
                        ShardOrder(*each)
                        for each in shards.waiting(connection, None if self._fleet else self._owner, folders)
                    ),
                ],
                shards.has_uncounted(connection),
                shards.held(connection) if self._posted else {},
                leases.held(connection),
            )

    def _say_no_folder(self, is_so: bool) -> None:
        if is_so and not self._said_no_folder:
            log.warning("no worker has a folder of logs, campaigns to logs wait")
        self._said_no_folder = is_so

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
            log.info("shard halted, its campaign does not run or its gateway is drained", extra=facts)
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
        self._counting = None
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
            self._counting = None
        elif self._posted.pop(order, None) is None:
            return
        self._pause(order, text_of(error))
        self._fill_up()

    def on_unsent(self, order: Order) -> None:
        """It could not be carried, for nothing that it is about: the next sweep gives it out again."""
        if isinstance(order, CensusOrder):
            self._counting = None
        else:
            self._posted.pop(order, None)

    def on_carrier_back(self, away_since: float) -> None:
        """Who carries orders was away since then (monotonic seconds), and may have lost those it had: what nobody is at
        by now is given out anew."""
        for each in [*self._posted.values(), *filter(None, [self._counting])]:
            each.doubt(away_since)
        self.nudge()

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
