"""Sends a shard to a network, which takes nothing back: intent, then the bytes, then the outcome.

Whoever claims a shard raises its epoch. Nobody is submitted to before an intent under that epoch is committed, and what
an earlier epoch intended and did not settle is never submitted again by itself: nobody gets a message twice by us, and
what a crash left in doubt is listed, some hundred messages a shard at most.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import uvloop
from sqlalchemy import Connection, Engine

from app.domain.campaign import State
from app.domain.greeting import compile_template
from app.domain.orders import Outcome, ShardOrder
from app.domain.receipt import reference_of
from app.errors import ConfigError, GatewayAway, GatewayFault, ShardTaken
from app.gateways.base import Line, Network, Take
from app.receiving.incoming import Incoming
from app.sending.books import Books
from app.sending.feed import Feed
from app.sending.limiter import of_account
from app.sending.seat import Seat
from app.sending.strategy import Slice
from app.sending.submitter import Submitter
from app.sending.underway import Underway
from app.sentence import Sentence
from app.store import accounts, campaigns, drains, ledger
from app.store.campaigns import Campaign
from app.store.clock import ticking
from app.store.faults import write
from app.store.ledger import Hold
from app.store.shards import Shard

CHUNK_S = 0.5
"""A chunk is so much work at the gateway's rate, which all who send share."""
SMALLEST_CHUNK, LARGEST_CHUNK = 20, 500


class Ledger:
    """One shard of one campaign, for one task. See Strategy."""

    def __init__(
        self, database: Engine, campaign: Campaign, order: ShardOrder, a_slice: Slice, network: Network
    ) -> None:
        self._database = database
        self._campaign = campaign
        self._order = order
        self._slice = a_slice
        self._network = network
        self._hold: Hold | None = None
        self._now: Callable[[], datetime]
        """What time it is by the database."""
        self._seat: Seat | None = None
        """Which of the gateway's sessions we have."""
        self.owner = accounts.new_holder()

    def claim(self) -> Shard:
        """See Strategy. One of the gateway's sessions has to be free, too."""
        of = (self._order.campaign_id, self._order.number, self.owner)
        name, most = self._network.name, self._network.binds

        def take_bind(connection: Connection) -> int | None:
            drains.make_sure(connection, name)
            return accounts.take_bind(connection, name, most, self.owner)

        slot = write(self._database, take_bind)
        if slot is None:
            raise ShardTaken("shard_taken.sessions", gateway=name)
        self._seat = Seat(name, slot, self.owner)

        def claim(connection: Connection) -> Shard:
            self._now = ticking(connection)
            shard, self._hold = ledger.claim(connection, *of, doubt=self._network.doubt)
            return shard

        return write(self._database, claim)

    def send(self, shard: Shard) -> Outcome:
        """See Strategy. Raises GatewayAway, and GatewayFault."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._connect_and_send(shard))

    def let_go(self) -> bool:
        """See Strategy. There is nothing to undo."""
        with self._database.connect() as connection:
            campaign = campaigns.get(connection, self._campaign.id)
            is_drained = self._network.name in drains.every(connection)
        return campaign is None or campaign.state is not State.RUNNING or is_drained

    def close(self) -> None:
        """See Strategy."""
        hold, seat = self._hold, self._seat
        self._hold = self._seat = None
        if hold is not None:
            write(self._database, lambda connection: ledger.release(connection, hold))
        if seat is not None:
            write(self._database, seat.give_back)

    async def _connect_and_send(self, shard: Shard) -> Outcome:
        if self._hold is None or self._seat is None:
            raise ShardTaken("shard_taken.not_claimed", shard=shard.number, campaign_id=shard.campaign_id)
        incoming = Incoming(self._database, self._network.name, self._network.opt_out_key, seat=self._seat.slot)
        self._check_template()
        reference = reference_of(shard.campaign_id, self._hold.epoch)
        recording = asyncio.create_task(incoming.run(looks_at_early=False))
        try:
            line = await self._open(self._seat, incoming.take, reference)
            with ThreadPoolExecutor(1, thread_name_prefix="books") as thread:
                try:
                    return await self._send(shard, self._hold, line, self._seat, thread, recording)
                finally:
                    await line.close()  # which waits until what came in is on record
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)

    async def _open(self, seat: Seat, take: Take, reference: str) -> Line:
        """Raises GatewayAway, and has it on record."""
        try:
            return await self._network.open(take, reference, self._campaign.template_name)
        except GatewayAway as error:
            why = error.sentence
            await asyncio.to_thread(write, self._database, lambda connection: seat.tell(connection, why))
            raise

    def _check_template(self) -> None:
        """Raises ConfigError where the gateways file has another text for the campaign's name of one than it had at the
        trigger, which people agreed to."""
        name, now = self._campaign.template_name, self._network.templates
        if name and now.get(name) != self._campaign.template:
            raise ConfigError([Sentence("template_changed", gateway=self._network.name, template=name)])

    async def _send(
        self,
        shard: Shard,
        hold: Hold,
        line: Line,
        seat: Seat,
        thread: ThreadPoolExecutor,
        recording: asyncio.Task[None],
    ) -> Outcome:
        network = self._network
        template = compile_template(self._campaign.template, None)
        rows = LARGEST_CHUNK
        if network.rate is not None:
            rows = max(SMALLEST_CHUNK, min(LARGEST_CHUNK, int(network.rate * CHUNK_S / network.binds)))
        feed = Feed(self._database, self._campaign, shard, template, network, chunk_rows=rows)
        underway = Underway(hold.epoch, network.validity_s, time.monotonic, self._now)

        submitter = Submitter(line, underway, of_account(self._database, network), network.calls)
        books = Books(self._database, shard, hold, feed, underway, submitter, network, self._slice, thread, seat)
        keeping = asyncio.create_task(books.keep())
        jobs: list[asyncio.Task[Any]] = [
            keeping, asyncio.create_task(submitter.submit()), asyncio.create_task(submitter.collect())
        ]  # fmt: skip
        try:
            done, _ = await asyncio.wait([*jobs, recording], return_when=asyncio.FIRST_COMPLETED)
            for each in done - {keeping}:
                each.result()  # it never ends by itself
            outcome = await keeping
        finally:
            for each in jobs:
                each.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        if submitter.fault:
            raise GatewayFault("gateway_fault", gateway=network.name, why=submitter.fault)
        return outcome
