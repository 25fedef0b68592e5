"""Sends one shard: page by page, each one delivered before the database hears of it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.audit.repair_shard import repair
from app.campaigns.release import let_go
from app.dedupe.shared_numbers import Turn, decide, note
from app.domain.campaign import ShardState, Verb
from app.domain.greeting import compile_template
from app.domain.page import Page, prepare
from app.domain.progress import ShardProgress
from app.domain.reject import Reason
from app.errors import LogDamaged, LogUnusable, Overtaken, ShardTaken
from app.gateways.base import Gateway
from app.gateways.log_file.journal import LogFile
from app.gateways.log_file.rejects import RejectLog
from app.store import campaigns, customers, rejects, shards
from app.store.campaigns import Campaign
from app.store.customers import Pages
from app.store.duplicates import Duplicates
from app.store.faults import may_pass, reason, write
from app.store.shards import Shard, Step

PAGE_ROWS = 15_000
"""Customers per page: 1.2 MB of messages, some 50 ms, one checkpoint. 10,000 take a twentieth more time, 20,000 take
20 MiB more with four tasks."""


COUNTED_FIRST_IDS = 50_000
"""A shard of at most so many ids is counted by its task, in some milliseconds: it would be done before the census."""


class Outcome(StrEnum):
    """How a task for a shard ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # told to; the rest is for whoever starts next
    SLICE = "slice"  # its time is over; the rest is for the next order
    TAKEN = "taken"  # somebody else is at it
    HALTED = "halted"  # its campaign does not run, or is gone
    FAILED = "failed"  # a person must act; the campaign says why
    BLOCKED = "blocked"  # the log cannot be written now, as on a full disk, or the database is away; to be tried again


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """What a task carries: which shard to send."""

    campaign_id: int
    number: int


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a task gives back."""

    order: ShardOrder
    outcome: Outcome
    reason: str = ""
    """Why it is blocked, for a person."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """News of a shard that is done: how many were not greeted, for each reason, never who."""

    order: ShardOrder
    counts: Counter[Reason]


def send_shard(
    database: Engine,
    log_dir: Path,
    order: ShardOrder,
    *,
    slice_s: float,
    should_stop: Callable[[], bool],
    on_progress: Callable[[ShardProgress], None],
    on_rejected: Callable[[Rejected], None],
) -> ShardReport:
    """Take the shard up where the last one left it, and send on for `slice_s`, a page at least, as long as its campaign
    runs. Whatever happens, the next call continues exactly where the last checkpoint was."""
    try:
        with database.connect() as connection:
            campaign = campaigns.get(connection, order.campaign_id)
        if campaign is None:  # the order is from a former life, and the campaign was removed
            return ShardReport(order, Outcome.HALTED)
        gateway = LogFile(log_dir, campaign.name, order.number)
        reject_log = RejectLog(log_dir, campaign.name, order.number)
        try:
            sending = _Sending(database, gateway, reject_log, campaign, order, slice_s)
            return ShardReport(order, sending.run(should_stop, on_progress, on_rejected))
        finally:
            reject_log.close()
            gateway.close()
    except ShardTaken:
        return ShardReport(order, Outcome.TAKEN)
    except LogUnusable as error:
        return ShardReport(order, Outcome.BLOCKED, str(error))
    except DBAPIError as error:
        if not may_pass(error):
            raise
        return ShardReport(order, Outcome.BLOCKED, reason(error))


class _Sending:
    """One shard whose log is locked by us, with its way out and its log of rejects."""

    def __init__(
        self,
        database: Engine,
        gateway: Gateway,
        reject_log: RejectLog,
        campaign: Campaign,
        order: ShardOrder,
        slice_s: float,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._reject_log = reject_log
        self._campaign = campaign
        self._order = order
        self._slice_s = slice_s
        self._of = (order.campaign_id, order.number, gateway.owner)
        self._template = compile_template(campaign.template, None)

    def run(
        self,
        should_stop: Callable[[], bool],
        on_progress: Callable[[ShardProgress], None],
        on_rejected: Callable[[Rejected], None],
    ) -> Outcome:
        """Do what the shard needs."""
        database, campaign, gateway = self._database, self._campaign, self._gateway
        try:
            shard = write(database, lambda connection: shards.claim(connection, *self._of))
            if shard.state is ShardState.SUSPECT:
                if not repair(database, gateway, campaign, shard, page_rows=PAGE_ROWS, should_stop=should_stop):
                    return Outcome.STOPPED
                with database.connect() as connection:
                    shard = shards.get(connection, shard.campaign_id, shard.number)
            self._count_if_small(shard)
            while True:
                gateway.return_to(shard.log_bytes)
                self._reject_log.rewrite(rejects.pages(database, campaign.id, shard.after_id, shard.to_id))
                try:
                    return self._send(shard, should_stop, on_progress, on_rejected)
                except Overtaken:  # what was delivered of the page is taken back, and the page is made anew
                    with database.connect() as connection:
                        shard = shards.get(connection, shard.campaign_id, shard.number)
        except ShardTaken:
            # Halted in the middle, or nobody lived to see the halt: what the record does not know goes.
            is_halted = let_go(database, gateway, self._reject_log, campaign.id, self._order.number)
            return Outcome.HALTED if is_halted else Outcome.TAKEN
        except LogDamaged as error:
            why = f"{str(error)[:400]}; to have it compared and completed, run: python -m app resume {campaign.name}"
            write(database, lambda connection: campaigns.change(connection, campaign.id, Verb.FAIL, why))
            let_go(database, gateway, self._reject_log, campaign.id, self._order.number)
            return Outcome.FAILED

    def _count_if_small(self, shard: Shard) -> None:
        ids = shard.to_id - shard.after_id
        if shard.audience is None and shard.last_id == shard.after_id and ids <= COUNTED_FIRST_IDS:
            with self._database.connect() as connection:
                audience = customers.count_range(connection, shard.after_id, shard.to_id)
            write(self._database, lambda connection: shards.note_audience(connection, shard, audience))

    def _send(
        self,
        shard: Shard,
        should_stop: Callable[[], bool],
        on_progress: Callable[[ShardProgress], None],
        on_rejected: Callable[[Rejected], None],
    ) -> Outcome:
        """Pages until the end of the shard or of the slice, or until told to stop."""
        ends_at = time.monotonic() + self._slice_s
        with self._database.connect() as connection:
            duplicates = Duplicates(connection, shard.campaign_id, shard.last_id, shard.to_id)
        pages = Pages(shard.to_id, PAGE_ROWS, self._template.columns)
        last_id, sent, rejected, position = shard.last_id, shard.sent, shard.rejected, shard.log_bytes
        while last_id < shard.to_id:
            if should_stop():
                return Outcome.STOPPED
            if (began := time.monotonic()) >= ends_at and last_id > shard.last_id:
                return Outcome.SLICE
            with self._database.connect() as connection:
                people, reached = pages.after(connection, last_id)
            turn = decide(self._database, shard.campaign_id, duplicates, people, last_id, reached)
            page = prepare(self._template, people, turn.duplicates)
            last_id = reached
            position = self._deliver(page, position, is_last=last_id == shard.to_id)
            self._record(page, turn, last_id, position, round((time.monotonic() - began) * 1000))
            sent, rejected = sent + page.sent, rejected + len(page.rejects)
            on_progress(ShardProgress(shard.number, shard.after_id, shard.to_id, last_id, sent, False))
        self._gateway.check()
        if rejected:
            with self._database.connect() as connection:
                counts = rejects.count(connection, shard.campaign_id, shard.after_id, shard.to_id)
            on_rejected(Rejected(self._order, counts))
        return Outcome.COMPLETE

    def _deliver(self, page: Page, position: int, *, is_last: bool) -> int:
        """Write what the page comes to; where the gateway stands then."""
        if page.text:
            position = self._gateway.deliver(page.text)
        self._reject_log.append(page.rejects)
        if is_last:
            self._reject_log.sync()
        return position

    def _record(self, page: Page, turn: Turn, last_id: int, position: int, work_ms: int) -> None:
        """The checkpoint: from here on the page is done."""
        step = Step(
            last_id=last_id,
            log_bytes=position,
            sent=page.sent,
            male=page.male,
            female=page.female,
            unknown=page.unknown,
            rejected=len(page.rejects),
            work_ms=work_ms,
        )

        def record(connection: Connection) -> None:
            shards.checkpoint(connection, *self._of, step)
            note(connection, self._order.campaign_id, turn)
            rejects.insert(connection, self._order.campaign_id, self._order.number, page.rejects)

        write(self._database, record)
