"""Sends a shard to a log, which can be cut back: page by page, each delivered before the database hears of it."""

import logging
import time
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.audit.repair_shard import repair
from app.campaigns.release import let_go, rejects_of
from app.dedupe.shared_numbers import Turn, decide, note
from app.domain.campaign import ShardState
from app.domain.greeting import compile_template
from app.domain.orders import Outcome, ShardOrder
from app.domain.page import Page, prepare
from app.errors import Overtaken
from app.gateways.log_file.journal import LogFile
from app.gateways.log_file.rejects import RejectLog
from app.sending.strategy import Slice
from app.store import late, log_parts, rejects, shards
from app.store.campaigns import Campaign
from app.store.duplicates import Duplicates
from app.store.faults import reason, write
from app.store.log_parts import Claimed, Part
from app.store.shard_pages import pages_of
from app.store.shards import Hold, Shard, Step

log = logging.getLogger(__name__)

PAGE_ROWS = 15_000
"""Customers per page: 1.2 MB of messages, some 50 ms, one checkpoint. 10,000 take a twentieth more time, 20,000 take
20 MiB more with four tasks."""


class Journal:
    """One shard whose log is locked by us, with its way out and its log of rejects. To make one raises ShardTaken and
    LogUnusable."""

    def __init__(self, database: Engine, log_dir: Path, campaign: Campaign, order: ShardOrder, a_slice: Slice) -> None:
        self._database = database
        self._campaign = campaign
        self._order = order
        self._slice = a_slice
        self._gateway = LogFile(log_dir, campaign.name, order.number)
        self._reject_log = RejectLog(log_dir, campaign.name, order.number)
        self._hold: Hold
        self._parts: list[Part]
        """Those in our folder."""
        self._to_cut: list[int] = []
        self._is_left = False
        """Whether we were told to stop, with everything that was delivered on record."""
        self._template = compile_template(campaign.template, None)

    def claim(self) -> Shard:
        """See Strategy."""
        order, owner = self._order, self._gateway.owner

        def claim(connection: Connection) -> Claimed:
            claimed = log_parts.claim(connection, order.campaign_id, order.number, owner)
            if claimed.is_taken_over:
                self._gateway.refuse_strange()
            return claimed

        shard, self._parts, _, self._to_cut = write(self._database, claim)
        self._hold = Hold(order.campaign_id, order.number, owner, shard.epoch)
        return shard

    def send(self, shard: Shard) -> Outcome:
        """See Strategy."""
        database, campaign = self._database, self._campaign
        if shard.state is ShardState.SUSPECT:
            should_stop = self._slice.should_stop
            of = (database, self._gateway, campaign, shard, self._parts, self._hold)
            if not repair(*of, page_rows=PAGE_ROWS, should_stop=should_stop):
                return Outcome.STOPPED
            shard = self._as_stored()
        while True:
            self._gateway.return_to(shard.log_bytes)
            self._reject_log.rewrite(rejects_of(database, shard, self._parts))
            self._note_cut()
            try:
                return self._send_pages(shard)
            except Overtaken:  # what was delivered of the page is taken back, and the page is made anew
                shard = self._as_stored()

    def let_go(self) -> bool:
        """See Strategy. What was delivered and is not on record is cut off."""
        return let_go(self._database, self._gateway, self._reject_log, self._campaign.id, self._order.number)

    def close(self) -> None:
        """See Strategy. Where we were told to stop nobody waits for our lease: another folder may go on at once. After
        a slice it stays, so that the next one goes on here."""
        self._reject_log.close()
        self._gateway.close()
        if self._is_left:
            try:
                write(self._database, lambda connection: shards.release(connection, self._hold))
            except SQLAlchemyError as error:
                log.warning("shard was not given back, its lease ends by itself", extra={"error": reason(error)})

    def _note_cut(self) -> None:
        """What our folder had behind the record from a former time is gone."""
        if self._to_cut:
            of = (self._order.campaign_id, self._order.number, self._gateway.owner, self._to_cut)
            write(self._database, lambda connection: log_parts.note_cut(connection, *of))
            self._to_cut = []

    def _as_stored(self) -> Shard:
        """What is behind it in the log is cut off."""
        with self._database.connect() as connection:
            log_parts.ask_primary(connection)
            return shards.get(connection, self._order.campaign_id, self._order.number)

    def _send_pages(self, shard: Shard) -> Outcome:
        """Pages until the end of the shard or of the slice, or until told to stop."""
        ends_at = time.monotonic() + self._slice.slice_s
        with self._database.connect() as connection:
            of = (shard.campaign_id, shard.number)
            late_turn = Turn(late.of_shard(connection, *of).not_sent) if shard.late else None
            duplicates = Duplicates(connection, shard.campaign_id, shard.last_id, shard.to_id)
            pages = pages_of(connection, self._campaign, shard, shard.to_id, PAGE_ROWS, self._template.columns)
        last_id, rejected, position = shard.last_id, shard.tally.rejected, shard.log_bytes
        while last_id < shard.to_id:
            if self._slice.should_stop():
                self._is_left = True
                return Outcome.STOPPED
            if (began := time.monotonic()) >= ends_at and last_id > shard.last_id:
                return Outcome.SLICE
            with self._database.connect() as connection:
                people, reached = pages.after(connection, last_id)
            turn = late_turn or decide(self._database, self._campaign, duplicates, people, last_id, reached)
            page = prepare(self._template, people, turn.duplicates)
            last_id = reached
            position = self._deliver(page, position, is_last=last_id == shard.to_id)
            self._record(page, turn, last_id, position, round((time.monotonic() - began) * 1000))
            rejected += page.tally.rejected
            self._slice.on_progress()
        self._gateway.check()
        if rejected:
            self._slice.tell_rejected(self._database, shard)
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
        step = Step(last_id, position, page.tally, work_ms)

        def record(connection: Connection) -> None:
            shards.checkpoint(connection, self._hold, step)
            note(connection, self._order.campaign_id, turn)
            rejects.insert(connection, self._order.campaign_id, self._order.number, page.rejects)

        write(self._database, record)
