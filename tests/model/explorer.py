"""Finds what may happen next in a world and makes it happen, on a database in memory."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.domain.campaign import Verb
from app.domain.chunk import Chunk
from app.domain.delivery import RETRIABLE, Delivery
from app.domain.page import by_form
from app.domain.receipt import Receipt
from app.errors import LeaseLost, ShardTaken
from app.gateways.base import Answer, Submission
from app.sending.underway import Underway
from app.store import campaigns, ledger, receipts, retries, shards, tables
from app.store.database import writing
from app.store.ledger import Hold
from tests.model.invariants import Row, check, check_news
from tests.model.world import Holder, Submitted, World, clock

CAMPAIGN, SHARD = 1, 0
VALIDITY_S = 86_400
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_QUERIES = (
    "SELECT state, last_id, intended_id, epoch, lease_until_ms > 1, owner, sent, submitting, retry, accepted,"
    " delivered, undelivered, expired, refused, in_doubt FROM shards",
    "SELECT customer_id, state, epoch, attempts, provider_id FROM messages ORDER BY 1",
    "SELECT after_id, to_id, epoch, ids FROM intents ORDER BY 1",
    "SELECT provider_id, state FROM early_receipts ORDER BY id",
    "SELECT state FROM campaigns",
)
Rows = tuple[tuple[tuple[Any, ...], ...], ...]


Step = tuple[str, Callable[[World], None]]


class Explorer:
    """What the database does is done once for each database and statement: many orders have the same ones in them."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        raw = database.raw_connection()
        self._raw: sqlite3.Connection = raw.driver_connection  # type: ignore[assignment]
        self._known: dict[Rows, int] = {}
        self._data: list[bytes] = []
        self._rows: list[Rows] = []
        self._done: dict[object, tuple[int, type[Exception] | None]] = {}

    def current(self) -> int:
        """The number of the database as it is."""
        rows = tuple(tuple(self._raw.execute(query).fetchall()) for query in _QUERIES)
        if rows not in self._known:
            self._known[rows] = len(self._data)
            self._data.append(self._raw.serialize())
            self._rows.append(rows)
        return self._known[rows]

    @property
    def databases(self) -> int:
        """How many were seen."""
        return len(self._data)

    def _write(self, world: World, what: object, unit: Callable[[Connection], object]) -> None:
        """In a transaction on the world's database, which is another one after it."""
        key = (world.database, what)
        if key not in self._done:
            self._raw.deserialize(self._data[world.database])
            failed: type[Exception] | None = None
            try:
                with writing(self._database) as connection:
                    unit(connection)
            except (LeaseLost, ShardTaken) as error:
                failed = type(error)
            except IntegrityError as error:
                raise AssertionError("somebody has a second row") from error
            self._done[key] = (self.current(), failed)
        world.database, failed = self._done[key]
        if failed is not None:
            raise failed("see the explorer")

    def _shard(self, world: World) -> tuple[Any, ...]:
        return self._rows[world.database][0][0]

    def _messages(self, world: World) -> dict[int, Row]:
        return {row[0]: Row(*row[1:]) for row in self._rows[world.database][1]}

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def steps(self, world: World) -> Iterator[Step]:
        """What may happen next, each with how to make it so; the database is the world's."""
        for at, holder in enumerate(world.holders):
            yield from self._steps_of(world, at, holder)
        for at, each in enumerate(world.network):
            yield from self._steps_of_network(world, at, each)
        budget = world.budget
        if budget.expiries and self._shard(world)[4]:
            yield "lease over", self._expire
        if budget.pauses and not world.is_paused:
            yield "pause", self._pause
        if world.is_paused:
            yield "resume", self._resume
        if self._rows[world.database][3]:
            yield "early receipts", self._early
        if budget.retries:
            for state in sorted({row[1] for row in self._rows[world.database][1]} & RETRIABLE):
                yield f"somebody retries {state}", partial(self._retry, state=Delivery(state))

    def _steps_of(self, world: World, at: int, holder: Holder) -> Iterator[Step]:
        who = "AB"[at]
        underway = holder.underway
        if holder.hold is None or underway is None:
            if world.budget.claims:
                yield f"{who} claims", lambda world: self._claim(world, at)
            return
        if world.budget.kills:
            yield f"{who} is killed", lambda world: self._kill(world, at)
        if holder.intended:
            yield f"{who} learns of its intent", lambda world: self._learn_intent(world, at)
            if world.budget.repeats:
                yield f"{who} intends it twice", lambda world: self._repeat_intent(world, at)
        elif holder.recording is not None:
            yield f"{who} learns of its record", lambda world: self._learn_record(world, at)
            if world.budget.repeats:
                yield f"{who} records it twice", lambda world: self._repeat_record(world, at)
        else:
            yield from self._steps_of_books(world, at, holder, underway)
        if holder.feeds and underway.queued:
            yield f"{who} submits", lambda world: self._submit(world, at, is_taken=True)
            if world.budget.refusals:
                yield f"{who} submits, refused for now", lambda world: self._submit(world, at, is_taken=False)
            if world.budget.rejections:
                yield f"{who} submits, refused", lambda world: self._submit(world, at, is_taken=False, for_good=True)

    def _steps_of_books(self, world: World, at: int, holder: Holder, underway: Underway) -> Iterator[Step]:
        """One at a time."""
        who = "AB"[at]
        has_more = self._next_chunk(world, holder) is not None
        if holder.feeds and underway.chunks < 2 and has_more:
            yield f"{who} intends", lambda world: self._intend(world, at)
        if holder.feeds and self._due(world):
            yield f"{who} intends again", lambda world: self._intend_again(world, at)
        if underway.ripe(all_of_them=True) is not None:
            yield f"{who} records", lambda world: self._record(world, at)
        if underway.news:
            yield f"{who} settles", lambda world: self._settle(world, at)
        if world.budget.stops and holder.feeds:
            yield f"{who} is to stop", lambda world: self._stop(world, at)
        if underway.is_idle and not (holder.feeds and has_more):
            yield f"{who} leaves", lambda world: self._leave(world, at)

    def _steps_of_network(self, world: World, at: int, each: Submitted) -> Iterator[Step]:
        holder = world.holders[each.holder]
        lives = holder.hold is not None and holder.life == each.life
        if lives and not each.answers:
            yield f"answer for {each.customer_id}", lambda world: self._answer(world, at)
            if world.budget.timeouts and not each.has_timed_out:
                yield f"no answer for {each.customer_id} in time", lambda world: self._time_out(world, at)
        if each.is_taken and each.receipts < 2 and world.budget.receipts:
            yield f"receipt for {each.customer_id}", lambda world: self._receipt(world, at)
            if world.budget.failures and not each.receipts:
                yield f"{each.customer_id} is undelivered", lambda world: self._receipt(world, at, has_failed=True)

    def _next_chunk(self, world: World, holder: Holder) -> Chunk | None:
        """The one behind what the holder made; it does not know what others did meanwhile."""
        for ids in world.chunks:
            if ids[0] == holder.reached + 1:
                mobiles = [100 + each for each in ids]
                return Chunk(holder.reached, ids[-1], list(ids), mobiles, [1] * len(ids), tally=by_form([0] * len(ids)))
        return None

    def _due(self, world: World) -> list[int]:
        return [row[0] for row in self._rows[world.database][1] if row[1] == "retry"]

    def _claim(self, world: World, at: int) -> None:
        holder = world.holders[at]
        world.budget.claims -= 1
        owner = "AB"[at]
        try:
            of = (CAMPAIGN, SHARD, owner)
            self._write(world, ("claim", at), lambda each: ledger.claim(each, *of, doubt=Delivery.UNKNOWN))
        except ShardTaken:
            return
        shard, rows, chunks = self._rows[world.database][:3]
        is_settled = not chunks and shard[0][1] == shard[0][2] and all(row[1] != "submitting" for row in rows)
        assert is_settled, "claimed, and what was under way before is in no state"
        holder.life += 1
        holder.hold, holder.feeds = Hold(CAMPAIGN, SHARD, self._shard(world)[3]), True
        holder.reached = self._shard(world)[2]
        holder.underway = Underway(holder.hold.epoch, VALIDITY_S, clock)

    def _kill(self, world: World, at: int) -> None:
        world.budget.kills -= 1
        world.holders[at] = Holder(life=world.holders[at].life)

    def _intend(self, world: World, at: int) -> None:
        holder = world.holders[at]
        chunk = self._next_chunk(world, holder)
        assert chunk is not None
        assert holder.hold is not None
        hold, is_valid = holder.hold, bool(self._shard(world)[4])
        try:
            self._write(world, ("intend", hold, chunk.after_id), lambda each: ledger.intend(each, hold, chunk))
        except LeaseLost:
            self._end_feeding(holder)
            return
        assert hold.epoch == self._shard(world)[3], "intended under an epoch of before"
        assert is_valid, "intended when the lease was over"
        holder.reached = chunk.to_id
        assert not world.is_paused, "intended in a pause"
        holder.intended.append((chunk, ["text"] * len(chunk.ids)))

    def _repeat_intent(self, world: World, at: int) -> None:
        holder, (chunk, _) = world.holders[at], world.holders[at].intended[0]
        assert holder.hold is not None
        hold = holder.hold
        world.budget.repeats -= 1
        try:
            self._write(world, ("intend", hold, chunk.after_id), lambda each: ledger.intend(each, hold, chunk))
        except LeaseLost:
            holder.intended.pop()
            self._end_feeding(holder)

    def _repeat_record(self, world: World, at: int) -> None:
        holder, record = world.holders[at], world.holders[at].recording
        assert holder.hold is not None
        assert record is not None
        hold, of = holder.hold, (record.after_id, record.to_id, record.entries)
        what = tuple((each.customer_id, each.state, each.provider_id, each.attempts) for each in record.entries)
        world.budget.repeats -= 1
        try:
            self._write(world, ("record", hold, what), lambda each: ledger.record(each, hold, *of))
        except LeaseLost:
            world.holders[at] = Holder(life=holder.life)

    def _learn_intent(self, world: World, at: int) -> None:
        holder = world.holders[at]
        assert holder.underway is not None
        holder.underway.add(*holder.intended.pop())
        if not holder.feeds:
            holder.underway.drop()

    def _intend_again(self, world: World, at: int) -> None:
        holder, due = world.holders[at], self._due(world)
        assert holder.hold is not None
        assert holder.underway is not None
        hold, is_valid = holder.hold, bool(self._shard(world)[4])
        try:
            self._write(world, ("intend again", hold), lambda each: ledger.intend_again(each, hold, due))
        except LeaseLost:
            self._end_feeding(holder)
            return
        assert hold.epoch == self._shard(world)[3], "intended again under an epoch of before"
        assert is_valid, "intended again when the lease was over"
        assert not world.is_paused, "intended again in a pause"
        holder.underway.add_again([Submission(each, 100 + each, "text", 1) for each in due])

    def _record(self, world: World, at: int) -> None:
        holder = world.holders[at]
        assert holder.hold is not None
        assert holder.underway is not None
        record = holder.underway.ripe(all_of_them=True)
        assert record is not None
        hold, of = holder.hold, (record.after_id, record.to_id, record.entries)
        what = tuple((each.customer_id, each.state, each.provider_id, each.attempts) for each in record.entries)
        try:
            self._write(world, ("record", hold, what), lambda each: ledger.record(each, hold, *of))
        except LeaseLost:  # somebody else has the shard: what we know of it is lost
            world.holders[at] = Holder(life=holder.life)
            return
        assert hold.epoch == self._shard(world)[3], "recorded under an epoch of before"
        holder.recording = record

    def _learn_record(self, world: World, at: int) -> None:
        holder = world.holders[at]
        assert holder.underway is not None
        assert holder.recording is not None
        holder.underway.recorded(holder.recording)
        holder.recording = None

    def _settle(self, world: World, at: int) -> None:
        underway = world.holders[at].underway
        assert underway is not None
        news = list(underway.news)
        what = tuple((*each[:4], each.due_at is None) for each in news)
        of, before = (CAMPAIGN, SHARD, news), self._messages(world)
        self._write(world, ("settle", what), lambda each: ledger.settle(each, *of, validity_s=VALIDITY_S))
        check_news(world, before, self._messages(world))
        underway.told(len(news))

    def _stop(self, world: World, at: int) -> None:
        world.budget.stops -= 1
        self._end_feeding(world.holders[at])

    @staticmethod
    def _end_feeding(holder: Holder) -> None:
        assert holder.underway is not None
        holder.feeds = False
        holder.underway.drop()

    def _leave(self, world: World, at: int) -> None:
        holder = world.holders[at]
        assert holder.hold is not None
        hold = holder.hold
        self._write(world, ("release", hold), lambda each: ledger.release(each, hold))
        self._write(world, "finish", lambda each: shards.finish(each, CAMPAIGN, SHARD))
        world.holders[at] = Holder(life=holder.life)

    def _submit(self, world: World, at: int, *, is_taken: bool, for_good: bool = False) -> None:
        holder = world.holders[at]
        assert holder.underway is not None
        world.budget.rejections -= for_good
        world.budget.refusals -= not (is_taken or for_good)
        (submission,) = holder.underway.take(1, 1)
        row = self._messages(world).get(submission.token)
        world.network.append(
            Submitted(submission.token, at, holder.life, is_taken, row.attempts if row else 1, for_good)
        )

    def _answer(self, world: World, at: int) -> None:
        each = world.network[at]
        each.answers += 1
        underway = world.holders[each.holder].underway
        assert underway is not None
        if each.is_taken:
            underway.note(Answer(each.customer_id, Delivery.ACCEPTED, f"id{at}"))
        elif each.is_refused:
            underway.note(Answer(each.customer_id, Delivery.REFUSED, error="never"))
        else:
            underway.note(Answer(each.customer_id, Delivery.RETRY, error="full"))

    def _time_out(self, world: World, at: int) -> None:
        each = world.network[at]
        world.budget.timeouts -= 1
        each.has_timed_out = True
        underway = world.holders[each.holder].underway
        assert underway is not None
        underway.note(Answer(each.customer_id, Delivery.UNKNOWN, error="no answer"))

    def _receipt(self, world: World, at: int, *, has_failed: bool = False) -> None:
        each = world.network[at]
        world.budget.receipts -= 1
        world.budget.failures -= has_failed
        each.has_failed |= has_failed
        each.receipts += 1
        said = Delivery.UNDELIVERED if each.has_failed is (each.receipts == 1) else Delivery.DELIVERED
        found, before = Receipt(f"id{at}", 100 + each.customer_id, said, "", LONG_AGO), self._messages(world)
        self._write(world, ("receipt", at, each.customer_id, said), lambda each: receipts.apply(each, "net", [found]))
        check_news(world, before, self._messages(world))

    def _retry(self, world: World, state: Delivery) -> None:
        """A person has those in one state tried again."""
        before = self._messages(world)
        everybody = [each for ids in world.chunks for each in ids]
        of = (CAMPAIGN, {SHARD}, everybody, state)
        self._write(world, ("retry", state), lambda each: retries.try_again(each, *of))
        world.budget.retries -= 1
        for customer_id, row in self._messages(world).items():
            if row != before[customer_id]:
                assert before[customer_id].state == state, "tried again, and nobody wanted it"
                world.finals.pop(customer_id, None)
                world.wanted_again[customer_id] = world.wanted_again.get(customer_id, 0) + 1

    def _early(self, world: World) -> None:
        before = self._messages(world)
        with patch.object(receipts, "CLOCKS_DIFFER", timedelta(days=36_500)):  # those of LONG_AGO are as good as any
            self._write(world, "early", lambda each: receipts.apply_early(each, "net"))
        check_news(world, before, self._messages(world))

    def _expire(self, world: World) -> None:
        world.budget.expiries -= 1
        self._write(world, "expire", lambda each: each.execute(tables.shards.update().values(lease_until_ms=1)))

    def _pause(self, world: World) -> None:
        world.budget.pauses -= 1
        world.is_paused = True
        self._write(world, "pause", lambda each: campaigns.change(each, CAMPAIGN, Verb.PAUSE))

    def _resume(self, world: World) -> None:
        world.is_paused = False
        self._write(world, "resume", lambda each: campaigns.change(each, CAMPAIGN, Verb.RESUME))

    def check(self, world: World) -> None:
        """What must hold at any moment."""
        shard, _, chunks = self._rows[world.database][:3]
        check(world, shard[0], self._messages(world), chunks)
