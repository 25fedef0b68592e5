"""Keeps the books of a shard that is sent to a network: what is intended, on record, due again; and when it ends."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

from app.dedupe.shared_numbers import note
from app.domain.chunk import Chunk, News
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.domain.traffic import submissions
from app.errors import LeaseLost, Overtaken, ShardTaken
from app.gateways.base import Network
from app.sending.feed import Feed, Serving
from app.sending.seat import Seat
from app.sending.strategy import Slice
from app.sending.submitter import Submitter
from app.sending.underway import Record, Underway, attempts_of
from app.store import ledger, messages, opt_outs, shards
from app.store.clock import lease_s
from app.store.faults import waited_for, write
from app.store.ledger import Hold
from app.store.shards import Shard

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Intended = tuple[Chunk, list[str]]
"""A chunk, and what each of its customers is to read."""

MOST_CHUNKS = 2
"""Under way at once: what a crash leaves in doubt."""
LOOK_EVERY_S = 0.2
"""For a pause, and for the end."""
TELL_EVERY_S = 2.0
"""How the gateway does: what is shown of it is so old at most."""
LEASE_MARGIN_S = 1.0
AGAIN_EVERY_S = 5.0
"""Between looks for messages that are due again, while there are others."""
NEWS_AT_ONCE = AGAIN_AT_ONCE = 500
NEWS_EVERY_S = 0.5
AWAY_FOR_S = 60.0
"""How long a database that is away is waited for, with what is to go on record in hand."""


class Books:
    """Of one holder of a shard, who sends in this seat. All that is written goes through one thread, in order."""

    def __init__(
        self,
        database: Engine,
        shard: Shard,
        hold: Hold,
        feed: Feed,
        underway: Underway,
        submitter: Submitter,
        network: Network,
        a_slice: Slice,
        thread: ThreadPoolExecutor,
        seat: Seat,
    ) -> None:
        self._seat = seat
        self._database = database
        self._lease_s = lease_s(database)
        self._shard = shard
        self._hold = hold
        self._feed = feed
        self._underway = underway
        self._submitter = submitter
        self._network = network
        self._slice = a_slice
        self._thread = thread
        self._ends_at = time.monotonic() + a_slice.slice_s
        self._prepared: Serving | None = None
        self._ending: Outcome | None = None
        """Why nothing more is fed, once that is so."""
        self._ended_at = 0.0
        self._looked_at = self._renewed_at = self._settled_at = self._again_at = self._told_at = 0.0
        self._recorded_at = time.monotonic()
        self._extend(time.clock_gettime(time.CLOCK_BOOTTIME))

    async def keep(self) -> Outcome:
        """Until the end of the shard or of the slice, or until told to stop. Raises ShardTaken, once the shard is not
        ours any more."""
        while not await self._is_over():
            if not await self._step():
                self._submitter.changed.clear()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S / 4):
                        await self._submitter.changed.wait()
                except TimeoutError:
                    continue
        return await self._end()

    async def _is_over(self) -> bool:
        """Whether nothing is under way, and nothing more will be."""
        now = time.monotonic()
        if self._ending is None and self._slice.should_stop():
            self._stop_feeding(Outcome.STOPPED)
        if self._ending is None and self._submitter.fault:
            self._stop_feeding(Outcome.FAILED)
        if self._ending is None and now >= self._ends_at:
            self._stop_feeding(Outcome.SLICE)
        if now >= self._looked_at + LOOK_EVERY_S:
            await self._look()
            self._looked_at = time.monotonic()
        if self._ending is not None and now > self._ended_at + self._network.answer_timeout_s + 1:
            return True  # who has no answer by now is in doubt, which the next holder notes
        return self._underway.is_idle and (self._ending is not None or await self._is_at_end())

    def _stop_feeding(self, why: Outcome) -> None:
        self._ending = why
        self._ended_at = time.monotonic()
        self._submitter.is_open = False
        self._underway.drop()

    async def _look(self) -> None:
        """Whether the shard is ours and to be sent; and show a sign of life now and then. Only where it is so we may
        submit for longer: who drained or paused meanwhile, and saw no sign of life, was told that nothing goes out."""
        now = time.monotonic()
        hold, seat, line = self._hold, self._seat, self._submitter.line
        is_due = now >= self._renewed_at + self._lease_s / 3 or not self._submitter.is_in_time
        tells = now >= self._told_at + TELL_EVERY_S
        traffic = self._underway.uncounted() if tells else Counter()
        why_away, under_way = line.why_away, line.under_way
        told: list[int] = []
        """When, by each try."""

        def look(connection: Connection) -> tuple[bool, float]:
            asked_at = time.clock_gettime(time.CLOCK_BOOTTIME)
            if is_due and not seat.keep(connection):
                log.warning("somebody else has our session's place", extra={"gateway": self._network.name})
            is_to_be_sent = ledger.is_to_be_sent(connection, hold, renew=is_due)
            if tells:
                is_counted = bool(told) and seat.told_ms(connection) in told  # by a commit that got through
                seat.tell(connection, why_away, under_way)
                told.append(seat.told_ms(connection))
                if not is_counted:
                    seat.count(connection, traffic)
            return is_to_be_sent, asked_at

        is_to_be_sent, asked_at = await self._write(look)
        if tells:
            self._told_at = now
        if is_to_be_sent:
            if is_due:
                self._renewed_at = time.monotonic()
                self._extend(asked_at)
        elif self._ending is None:
            self._stop_feeding(Outcome.HALTED)

    async def _step(self) -> bool:
        """The next thing to write; False where there is none now."""
        if (record := self._underway.ripe(all_of_them=self._ending is not None)) is not None:
            await self._record(record)
            return True
        count = len(self._underway.news)
        if count and (count >= NEWS_AT_ONCE or time.monotonic() >= self._settled_at + NEWS_EVERY_S):
            await self._settle(list(self._underway.news[:NEWS_AT_ONCE]))
            return True
        return self._ending is None and await self._feed_some()

    async def _feed_some(self) -> bool:
        """Whether there was something to feed or to prepare."""
        if self._underway.chunks >= MOST_CHUNKS:
            return await self._prepare()
        if time.monotonic() >= self._again_at + AGAIN_EVERY_S:
            self._again_at = time.monotonic()
            if await self._feed_again():
                return True
        if self._feed.is_at_end:
            return False
        await self._feed_next()
        return True

    async def _settle(self, news: list[News]) -> None:
        of = (self._hold.campaign_id, self._hold.number, news)
        validity_s, beside = self._network.validity_s, self._underway.uncounted()
        is_again = False

        def settle(connection: Connection) -> None:
            nonlocal is_again
            attempts = ledger.settle(connection, *of, validity_s=validity_s)
            if attempts or not is_again:  # a commit that got through has counted it
                self._seat.count(connection, submissions(attempts) + beside)
            is_again = True

        await self._write(settle)
        self._underway.told(len(news))
        self._settled_at = time.monotonic()

    async def _record(self, record: Record) -> None:
        """Put chunks on record, and intend the next one in the same transaction: a commit is what takes longest."""
        is_fed = self._ending is None and not self._feed.is_at_end
        serving = None
        if is_fed and self._underway.chunks - record.chunks < MOST_CHUNKS:
            serving = await self._next_serving()
        work_ms = round((time.monotonic() - self._recorded_at) * 1000)
        self._recorded_at = time.monotonic()
        # Without anybody to put on record nothing tells whether a commit got through, and the next one counts it.
        beside = record.took + (self._underway.uncounted() if record.entries else Counter())

        def write_down(connection: Connection, serving: Serving | None = None) -> Intended | None:
            chosen = self._choose(connection, serving) if serving else None
            of = (self._hold, record.after_id, record.to_id, record.entries)
            states = ledger.record(connection, *of, work_ms=work_ms)
            if serving and chosen:
                chosen = self._intend(connection, serving, chosen)
            if states:
                self._seat.count(connection, submissions(attempts_of(record.entries, states)) + beside)
            return chosen

        intended = None
        try:
            intended = await self._write(lambda connection: write_down(connection, serving))
        except (LeaseLost, Overtaken) as error:  # what was sent is sent, whatever becomes of the next ones
            await self._write(write_down)
            if isinstance(error, LeaseLost):
                self._stop_feeding(Outcome.HALTED)
        self._underway.recorded(record)
        self._slice.on_progress()
        if intended and serving:
            self._submit(serving, intended)

    async def _prepare(self) -> bool:
        """The next chunk, while others are under way; False where it is made already, or there is none."""
        if self._prepared is not None or self._feed.is_at_end:
            return False
        self._prepared = await self._in_thread(self._feed.next)
        return True

    async def _next_serving(self) -> Serving:
        serving, self._prepared = self._prepared, None
        return serving if serving is not None else await self._in_thread(self._feed.next)

    async def _feed_next(self) -> None:
        serving = await self._next_serving()

        def choose_and_intend(connection: Connection) -> Intended:
            return self._intend(connection, serving, self._choose(connection, serving))

        try:
            intended = await self._write(choose_and_intend)
        except Overtaken:  # somebody inherited a number meanwhile: it is made anew
            return
        except LeaseLost:
            self._stop_feeding(Outcome.HALTED)
            return
        self._submit(serving, intended)

    def _choose(self, connection: Connection, serving: Serving) -> Intended:
        """In the transaction that intends it, and before the shard's row is held."""
        opted_out = opt_outs.among(connection, self._network.opt_out_key, serving.mobiles)
        return serving.chunk(opted_out, self._network.max_parts)

    def _intend(self, connection: Connection, serving: Serving, chosen: Intended) -> Intended:
        """Who is intended by it: where a commit of before got through they were chosen by that, and nobody opts out of
        it or comes to it since; and what it noted of heirs may have led to more since."""
        if (before := ledger.intend(connection, self._hold, chosen[0])) is not None:
            return serving.of(before)
        note(connection, self._hold.campaign_id, serving.turn)
        return chosen

    def _submit(self, serving: Serving, intended: Intended) -> None:
        """After the commit."""
        self._feed.intended(serving)
        self._underway.add(*intended)
        if self._ending is not None:  # it was told to end meanwhile
            self._underway.drop()
        self._submitter.wake()

    async def _feed_again(self) -> bool:
        """Whether somebody is due again."""
        hold, shard = self._hold, self._shard
        if self._underway.has_resubmitted:
            return False

        def find() -> list[messages.Message]:
            with self._database.connect() as connection:
                if not shards.get(connection, hold.campaign_id, hold.number).tally.retry:
                    return []
                return messages.due(connection, hold.campaign_id, shard.after_id, shard.to_id, AGAIN_AT_ONCE)

        rows = await self._in_thread(find)
        if not rows:
            return False
        submissions, not_sent = await self._in_thread(lambda: self._feed.again(rows))
        ids = [each.customer_id for each in rows]
        news = [News(each, hold.epoch, Delivery.REFUSED, error=why) for each, why in not_sent.items()]

        def intend(connection: Connection) -> None:
            ledger.intend_again(connection, hold, ids, not_sent)
            ledger.settle(connection, hold.campaign_id, hold.number, news, validity_s=self._network.validity_s)

        try:
            await self._write(intend)
        except LeaseLost:
            self._stop_feeding(Outcome.HALTED)
            return True
        self._underway.add_again(submissions)
        self._submitter.wake()
        return True

    async def _is_at_end(self) -> bool:
        """Whether everybody is on record, and nobody is due again now."""
        if not self._feed.is_at_end:
            return False
        shard = await self._in_thread(self._as_stored)
        return not shard.tally.submitting and not await self._feed_again()

    def _as_stored(self) -> Shard:
        with self._database.connect() as connection:
            return shards.get(connection, self._hold.campaign_id, self._hold.number)

    async def _end(self) -> Outcome:
        """Let the shard go, and say how it stands."""
        hold, shard = self._hold, self._shard

        def leave(connection: Connection) -> Outcome:
            ledger.lock(connection, [(hold.campaign_id, hold.number)])  # who has some tried again waits, or is seen
            now = shards.get(connection, hold.campaign_id, hold.number)
            is_read = now.last_id == now.to_id and not now.tally.submitting
            of = (hold.campaign_id, shard.after_id, shard.to_id)
            due = messages.next_due(connection, *of) if now.tally.retry else None
            ledger.release(connection, hold, due if is_read else None)
            if now.epoch != hold.epoch:
                raise ShardTaken("lease_lost", shard=hold.number, campaign_id=hold.campaign_id)
            if is_read and not now.tally.retry:
                return Outcome.COMPLETE
            if self._ending is None:
                return Outcome.LATER
            return self._ending

        outcome = await self._write(leave)
        if outcome is Outcome.COMPLETE:
            await self._in_thread(lambda: self._slice.tell_rejected(self._database, shard))
        return outcome

    # ── the way to the database ─────────────────────────────────────────────────────────────────

    def _extend(self, asked_at: float) -> None:
        """Our lease and our session's were renewed by a statement that began then. Nothing is submitted once they may
        be over."""
        self._submitter.deadline = asked_at + self._lease_s - LEASE_MARGIN_S
        self._submitter.wake()

    async def _in_thread(self, job: Callable[[], Result]) -> Result:
        """A database that is away is waited for."""
        given_up_at = time.monotonic() + AWAY_FOR_S

        async def ask() -> Result:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)

        return await waited_for(ask, lambda: time.monotonic() > given_up_at or self._slice.should_stop())

    async def _write(self, unit: Callable[[Connection], Result]) -> Result:
        """In a transaction. Each of ours may be done twice, the second time long after the first."""
        return await self._in_thread(lambda: write(self._database, unit))
