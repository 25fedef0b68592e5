"""A shard that is sent to logs in two folders, by three processes that die and stand still: one step at a time.

The steps of a process are those of app/sending/journal.py and app/campaigns/release.py, with the same functions of
app/store; a log is the tuple of the ids in it, so a byte is a message. Whoever has a log open has its lock.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from app.domain.campaign import ShardState, State, Verb
from app.domain.page import by_form
from app.errors import LeaseLost, ShardTaken
from app.store import campaigns, log_parts, shards, tables
from app.store.database import writing
from app.store.log_parts import Part
from app.store.shards import Hold, Shard, Standing, Step

CAMPAIGN, SHARD = 1, 0
FOLDER_OF = ("A", "A", "B")
"""Of each process."""


class Process(NamedTuple):
    """What one knows, and does next; `does` is '' while it has no log open."""

    does: str = ""
    hold: Hold | None = None
    last_id: int = 0
    end: int = 0
    """Where its log is to end."""
    known: tuple[int, ...] = ()
    """Parts of whose record it knows."""
    parts: tuple[Part, ...] = ()
    """Those in its folder, to be compared."""


class Budget(NamedTuple):
    """How often each of the rare events may happen."""

    claims: int = 3
    kills: int = 1
    expiries: int = 1
    pauses: int = 0
    cancels: int = 0
    abandons: int = 0
    """Somebody in B gives A up."""


@dataclass(frozen=True, slots=True)
class World:
    """All of it; the database by its number."""

    database: int
    logs: tuple[tuple[int, ...], ...] = ((), ())
    processes: tuple[Process, ...] = (Process(),) * len(FOLDER_OF)
    budget: Budget = field(default_factory=Budget)

    def log(self, folder: str) -> tuple[int, ...]:
        return self.logs["AB".index(folder)]

    def with_log(self, folder: str, log: tuple[int, ...]) -> "World":
        logs = tuple(log if place == "AB".index(folder) else each for place, each in enumerate(self.logs))
        return replace(self, logs=logs)

    def with_process(self, at: int, process: Process) -> "World":
        return replace(self, processes=(*self.processes[:at], process, *self.processes[at + 1 :]))

    def spent(self, what: str) -> "World":
        return replace(self, budget=self.budget._replace(**{what: getattr(self.budget, what) - 1}))

    def is_open(self, folder: str) -> bool:
        return any(each.does and FOLDER_OF[at] == folder for at, each in enumerate(self.processes))


class Record(NamedTuple):
    """What a database says."""

    state: State
    shard: Shard
    parts: list[Part]


_QUERIES = (
    "SELECT state, last_id, owner, epoch, log_bytes, sent, MIN(lease_until_ms, 2) FROM shards",
    "SELECT number, folder, first_id, last_id, from_byte, to_byte, sent, to_cut FROM log_parts ORDER BY 1",
    "SELECT state FROM campaigns",
)


class Databases:
    """Every one that was seen. What a transaction does to one is done once."""

    def __init__(self, database: Engine, people: int) -> None:
        self._database = database
        self.people = people
        raw = database.raw_connection()
        self._raw: sqlite3.Connection = raw.driver_connection  # type: ignore[assignment]
        self._numbers: dict[object, int] = {}
        self._data: list[bytes] = []
        self._seen: list[Record] = []
        self._done: dict[object, tuple[int, Any]] = {}

    def current(self) -> int:
        rows = tuple(tuple(self._raw.execute(query).fetchall()) for query in _QUERIES)
        if rows not in self._numbers:
            with self._database.connect() as connection:
                campaign = campaigns.get(connection, CAMPAIGN)
                assert campaign
                shard = shards.get(connection, CAMPAIGN, SHARD)
                self._seen.append(Record(campaign.state, shard, log_parts.of_shard(connection, shard)))
            self._numbers[rows] = len(self._data)
            self._data.append(self._raw.serialize())
        return self._numbers[rows]

    def record(self, world: World) -> Record:
        return self._seen[world.database]

    def write(self, world: World, what: object, unit: Callable[[Connection], Any]) -> tuple[World, Any]:
        """The world after a transaction, and what that gave; None where it was refused."""
        key = (world.database, what)
        if key not in self._done:
            self._raw.deserialize(self._data[world.database])
            try:
                with writing(self._database) as connection:
                    given = unit(connection)
            except (LeaseLost, ShardTaken):
                given = None
            self._done[key] = (self.current(), given)
        number, given = self._done[key]
        return replace(world, database=number), given

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def steps(self, world: World) -> Iterator[tuple[str, Callable[[], World]]]:
        """What may happen next."""
        record, budget = self.record(world), world.budget
        for at, process in enumerate(world.processes):
            who = f"{FOLDER_OF[at]}{at}"
            if process.does:
                yield f"{who} {process.does}", partial(getattr(self, f"_{process.does}"), world, at, process)
                if budget.kills:
                    yield f"{who} is killed", partial(world.spent("kills").with_process, at, Process())
            elif not world.is_open(FOLDER_OF[at]):
                if budget.claims:
                    yield f"{who} opens its log", partial(world.spent("claims").with_process, at, Process("claims"))
                if at != 1 and self._has_to_look(record, FOLDER_OF[at]):  # the one who also sweeps
                    yield f"{who} finds its log to be cut", partial(world.with_process, at, Process("looks"))
        if budget.expiries and record.shard.is_held:
            yield "lease over", partial(self._expire, world)
        if budget.pauses and record.state is State.RUNNING:
            yield "pause", partial(self._change, world, Verb.PAUSE, "pauses")
        if record.state is State.PAUSED:
            yield "resume", partial(self._change, world, Verb.RESUME, "")
        if budget.abandons and self._may_be_abandoned(record):
            yield "A is given up", partial(self._abandon, world)
        if budget.cancels and record.state is State.RUNNING:
            yield "cancel", partial(self._change, world, Verb.CANCEL, "cancels")

    @staticmethod
    def _has_to_look(record: Record, folder: str) -> bool:
        """As its server's sweep sees it: to be cut, or of a halted campaign and not let go of."""
        is_left = record.state is not State.RUNNING and record.shard.owner == folder and record.shard.lease_until_ms > 0
        return is_left or any(each.folder == folder and each.to_cut for each in record.parts)

    def _claims(self, world: World, at: int, process: Process) -> World:
        folder = FOLDER_OF[at]
        of = (CAMPAIGN, SHARD, folder)
        world, claimed = self.write(world, ("claim", folder), lambda connection: log_parts.claim(connection, *of))
        if claimed is None:
            return world.with_process(at, Process("looks"))
        shard = claimed.shard
        hold = Hold(CAMPAIGN, SHARD, folder, shard.epoch)
        known = tuple(claimed.to_cut)
        if shard.state is ShardState.SUSPECT:
            parts = tuple(claimed.parts)
            return world.with_process(at, Process("compares", hold, shard.last_id, 0, known, parts))
        return world.with_process(at, Process("returns", hold, shard.last_id, shard.log_bytes, known))

    def _compares(self, world: World, at: int, process: Process) -> World:
        """The log becomes what it should be, in one step; and what it is then is not on record yet."""
        log: tuple[int, ...] = ()
        parts = []
        for each in process.parts:
            ids = tuple(range(each.first_id, each.last_id + 1))
            parts.append(replace(each, from_byte=len(log), to_byte=len(log) + len(ids), tally=by_form([1] * len(ids))))
            log += ids
        world = world.with_log(FOLDER_OF[at], log)
        return world.with_process(at, process._replace(does="settles", end=len(log), parts=tuple(parts)))

    def _settles(self, world: World, at: int, process: Process) -> World:
        assert process.hold
        hold, stands = process.hold, Standing(process.last_id, process.end, by_form([1] * process.last_id))

        def settle(connection: Connection) -> bool:
            shards.settle(connection, hold, stands)
            log_parts.settle(connection, CAMPAIGN, process.parts)
            return True

        world, done = self.write(world, ("settle", hold, process.parts), settle)
        if not done:
            return world.with_process(at, Process("looks"))
        return world.with_process(at, Process("returns", hold, process.last_id, process.end, process.known))

    def _returns(self, world: World, at: int, process: Process) -> World:
        """It cuts its log to the record."""
        log = world.log(FOLDER_OF[at])
        assert len(log) >= process.end, "its log is shorter than its record"
        world = world.with_log(FOLDER_OF[at], log[: process.end])
        return world.with_process(at, process._replace(does="notes_and_goes_on" if process.known else "delivers"))

    def _notes_and_goes_on(self, world: World, at: int, process: Process) -> World:
        of = (CAMPAIGN, SHARD, FOLDER_OF[at], process.known)
        world, _ = self.write(world, ("cut", *of), lambda connection: log_parts.note_cut(connection, *of))
        return world.with_process(at, process._replace(does="delivers", known=()))

    def _delivers(self, world: World, at: int, process: Process) -> World:
        if process.last_id == self.people:
            return world.with_process(at, process._replace(does="finishes"))
        folder = FOLDER_OF[at]
        assert len(world.log(folder)) == process.end, "somebody else wrote to its log"
        world = world.with_log(folder, (*world.log(folder), process.last_id + 1))
        return world.with_process(at, process._replace(does="records"))

    def _records(self, world: World, at: int, process: Process) -> World:
        assert process.hold
        hold, step = process.hold, Step(process.last_id + 1, process.end + 1, by_form([1]), 1)
        of = ("checkpoint", hold, step.last_id, step.log_bytes)
        world, done = self.write(world, of, lambda connection: shards.checkpoint(connection, hold, step) or True)
        if not done:
            return world.with_process(at, Process("looks"))
        assert self.record(world).state is State.RUNNING, "recorded for a campaign that was stopped"
        return world.with_process(at, Process("delivers", hold, step.last_id, step.log_bytes))

    def _finishes(self, world: World, at: int, process: Process) -> World:
        world, _ = self.write(world, "finish", lambda connection: shards.finish(connection, CAMPAIGN, SHARD))
        return world.with_process(at, Process())

    def _looks(self, world: World, at: int, process: Process) -> World:
        """What became of the shard: see let_go."""
        folder, (state, shard, parts) = FOLDER_OF[at], self.record(world)
        ours = [each for each in parts if each.folder == folder]
        known = tuple(each.number for each in ours if each.to_cut)
        is_over = shard.state is ShardState.FINISHED and known
        if is_over or (shard.owner != folder and ours):
            return world.with_process(at, Process("cuts", None, 0, log_parts.end_of(parts, folder), known))
        if state is not State.RUNNING and shard.state is not ShardState.FINISHED:
            does = "halts" if shard.state is ShardState.OPEN else "lets_go"
            return world.with_process(at, Process(does, None, 0, shard.log_bytes, known))
        return world.with_process(at, Process())

    def _cuts(self, world: World, at: int, process: Process) -> World:
        folder = FOLDER_OF[at]
        world = world.with_log(folder, world.log(folder)[: process.end])
        return world.with_process(at, process._replace(does="notes"))

    def _notes(self, world: World, at: int, process: Process) -> World:
        of = (CAMPAIGN, SHARD, FOLDER_OF[at], process.known)
        world, _ = self.write(world, ("cut", *of), lambda connection: log_parts.note_cut(connection, *of))
        return world.with_process(at, Process())

    def _halts(self, world: World, at: int, process: Process) -> World:
        folder = FOLDER_OF[at]
        world = world.with_log(folder, world.log(folder)[: process.end])
        return world.with_process(at, process._replace(does="notes_and_lets_go"))

    def _notes_and_lets_go(self, world: World, at: int, process: Process) -> World:
        return self._notes(world, at, process).with_process(at, Process("lets_go"))

    def _lets_go(self, world: World, at: int, process: Process) -> World:
        of = (CAMPAIGN, SHARD, FOLDER_OF[at])
        world, _ = self.write(world, ("let go", *of), lambda connection: shards.let_go(connection, *of))
        return world.with_process(at, Process())

    def _expire(self, world: World) -> World:
        silent = tables.shards.update().values(lease_until_ms=1)
        return self.write(world.spent("expiries"), "expire", lambda connection: connection.execute(silent) and None)[0]

    @staticmethod
    def _may_be_abandoned(record: Record) -> bool:
        is_alive = record.shard.owner == "A" and record.shard.is_held
        has_some = any(each.folder == "A" and (not each.is_empty or each.is_open) for each in record.parts)
        return has_some and not is_alive and record.state in {State.RUNNING, State.PAUSED}

    def _abandon(self, world: World) -> World:
        def abandon(connection: Connection) -> None:
            shard = shards.get(connection, CAMPAIGN, SHARD)
            log_parts.abandon(connection, shard, log_parts.of_shard(connection, shard), "A", "B")
            campaigns.change(connection, CAMPAIGN, Verb.RESUME)

        return self.write(world.spent("abandons"), "abandon", abandon)[0]

    def _change(self, world: World, verb: Verb, budget: str) -> World:
        world = world.spent(budget) if budget else world
        return self.write(world, verb, lambda connection: campaigns.change(connection, CAMPAIGN, verb))[0]

    # ── what must hold ──────────────────────────────────────────────────────────────────────────

    def check(self, world: World) -> None:
        """At any moment."""
        state, shard, parts = self.record(world)
        reached = 0
        for each in parts:
            if each.is_empty:
                continue
            assert each.first_id == reached + 1, "a stretch is missing, or there twice"
            reached = each.last_id
            ids = tuple(range(each.first_id, each.last_id + 1))
            assert each.tally.sent == len(ids), "the counts of the parts are wrong"
            if not (shard.state is ShardState.SUSPECT and each.folder == shard.owner):  # it is compared first
                assert world.log(each.folder)[each.from_byte : each.to_byte] == ids, "a log is not what is on record"
        assert reached == shard.last_id == shard.tally.sent
        for folder in "AB":
            if shard.state is ShardState.SUSPECT and folder == shard.owner:
                continue
            if len(world.log(folder)) > log_parts.end_of(parts, folder) and not world.is_open(folder):
                goes_on = shard.owner == folder and (state is State.RUNNING or shard.lease_until_ms > 0)
                is_paused = state is State.PAUSED and shard.owner == folder
                assert goes_on or is_paused or self._has_to_look(self.record(world), folder), "nobody will cut a log"

    def check_end(self, world: World) -> None:
        """Once nothing can happen any more: nothing is in a log but what is on record."""
        _, _, parts = self.record(world)
        for folder in "AB":
            if not self._may_yet_be_claimed(world, folder):
                assert len(world.log(folder)) == log_parts.end_of(parts, folder), "a log was never cut"

    def _may_yet_be_claimed(self, world: World, folder: str) -> bool:
        """The model ran out of claims."""
        state, shard, _ = self.record(world)
        is_over = state is State.CANCELLED or shard.state is ShardState.FINISHED
        return shard.owner == folder and (not is_over or shard.state is ShardState.SUSPECT)
