"""Checks a campaign's ledger: everybody of its ranges has a row, or is rejected or gone, and the counts are the rows'.

Each shard is read in one transaction, so that what is compared is of one moment, also while it is being sent.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from app.audit.agreement import Agreement
from app.campaigns.snapshot import snapshot
from app.domain.campaign import ShardState
from app.domain.delivery import Delivery
from app.domain.durations import Durations
from app.domain.tally import Tally
from app.sentence import Sentence, Some
from app.store import intents, messages, rejects, shards
from app.store.campaigns import Campaign
from app.store.chosen import ids_between
from app.store.messages import Fate
from app.store.shards import Shard

if TYPE_CHECKING:
    from app.audit.centre_log import CentreLog

WINDOW_IDS = 10_000
"""Ids that are compared at once."""
MOST_ERRORS = 10
_BY_RECEIPT = frozenset({Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED})


@dataclass(frozen=True, slots=True)
class LedgerTask(Agreement):
    """One shard of the ledger. `differences`: none when customers, rows, rejects and counts agree."""

    task: int
    tally: Tally
    parts: int
    """SMS in all that the gateway said it has."""
    differences: list[Sentence]
    late: list[int]
    """Ids of customers who were not there yet when their turn passed, and have no message."""
    is_finished: bool


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """All shards of a campaign."""

    campaign: Campaign
    tasks: list[LedgerTask]
    errors: list[tuple[str, int]]
    """The commonest, by the gateway's names for them, and how many messages have each."""
    took: Durations
    """From the submission to the final receipt."""
    differences: list[Sentence] = field(default_factory=list)
    """With the message centre's own log."""

    @property
    def tally(self) -> Tally:
        return sum((each.tally for each in self.tasks), Tally())

    @property
    def parts(self) -> int:
        return sum(each.parts for each in self.tasks)

    @property
    def delivered_share(self) -> float | None:
        """Of those that the gateway said it has."""
        tally = self.tally
        return tally.delivered / tally.taken if tally.taken else None

    @property
    def agrees(self) -> bool:
        return not self.differences and all(each.agrees for each in self.tasks)

    @property
    def agrees_so_far(self) -> bool:
        """Whether nothing differs but that some tasks are not finished."""
        return not self.differences and all(each.agrees_so_far for each in self.tasks)


def ledger_report(database: Engine, name: str, centre_log: Path | None = None) -> Generator[LedgerReport | LedgerTask]:
    """Each task's report as it is done, then the whole. `centre_log`: the log of the demo message centre, to be
    compared as well. Raises UnknownCampaign, and LogUnusable for that log."""
    now = snapshot(database, name)
    centre = _centre(centre_log, now.campaign) if centre_log else None
    took, tasks = Durations(), []
    for shard in now.shards:
        check = _ShardCheck(now.campaign, shard.number, took, centre)
        with database.connect() as connection:
            task = check.run(connection)
        tasks.append(task)
        yield task
    with database.connect() as connection:
        errors = messages.commonest_errors(connection, now.campaign.id, MOST_ERRORS)
    yield LedgerReport(now.campaign, tasks, errors, took, centre.differences() if centre else [])


def _centre(path: Path, campaign: Campaign) -> "CentreLog":
    from app.audit.centre_log import CentreLog  # noqa: PLC0415  it needs numpy

    return CentreLog(path, campaign.created_at)


class _ShardCheck:
    """Compares one shard window by window of ids."""

    def __init__(self, campaign: Campaign, number: int, took: Durations, centre: "CentreLog | None") -> None:
        self._of = (campaign.id, number)
        self._campaign = campaign
        self._took = took
        self._centre = centre
        self._counted: dict[Delivery, int] = dict.fromkeys(Delivery, 0)
        self._rejected = 0
        self._parts = 0
        self._without: list[int] = []
        self._twice: list[int] = []
        self._differences: list[Sentence] = []

    def run(self, connection: Connection) -> LedgerTask:
        shard = shards.get(connection, *self._of)
        is_finished = shard.state is ShardState.FINISHED
        if not is_finished:
            done, total = shard.last_id - shard.after_id, shard.to_id - shard.after_id
            self._differ("difference.unfinished", count=total, done=done)
        for after_id in range(shard.after_id, shard.to_id, WINDOW_IDS):
            self._compare(connection, shard, after_id, min(after_id + WINDOW_IDS, shard.to_id))
        self._counted[Delivery.SUBMITTING] += intents.count(connection, *self._of)
        late = self._say(shard.tally)
        return LedgerTask(shard.number, shard.tally, self._parts, self._differences, late, is_finished)

    def _compare(self, connection: Connection, shard: Shard, after_id: int, to_id: int) -> None:
        fates = messages.fates(connection, self._of[0], after_id, to_id)
        refused = {each.customer_id for each in rejects.between(connection, *self._of, after_id, to_id)}
        self._count(fates)
        self._rejected += len(refused)
        ids = {each.customer_id for each in fates}
        self._twice += sorted(ids & refused)
        if after_id < shard.last_id:
            people = ids_between(connection, self._campaign, after_id, min(to_id, shard.last_id))
            self._without += [each for each in people if each not in ids and each not in refused]
        if self._centre:
            self._centre.expect(fates)

    def _count(self, fates: Sequence[Fate]) -> None:
        for each in fates:
            self._counted[each.state] += 1
            if each.state.is_taken:
                self._parts += each.parts
            if each.state in _BY_RECEIPT and each.final_at:
                self._took.note((each.final_at - each.submitted_at).total_seconds())

    def _say(self, tally: Tally) -> list[int]:
        """The ids of those who came late."""
        for state, counted in self._counted.items():
            if counted != tally.of(state):
                what = Sentence(f"delivery.{state}")
                self._differ("difference.rows", count=tally.of(state), counted=counted, what=what)
        if self._rejected != tally.rejected:
            self._differ("difference.rejects", count=tally.rejected, on_record=self._rejected)
        if self._twice:
            self._differ("difference.sent_and_rejected", count=len(self._twice), ids=Some(self._twice))
        if sum(self._counted.values()) == tally.sent and self._rejected == tally.rejected:
            return self._without  # everybody who was met is on record
        if self._without:
            self._differ("difference.no_row", count=len(self._without), ids=Some(self._without))
        return []

    def _differ(self, code: str, /, **facts: object) -> None:
        self._differences.append(Sentence(code, **facts))
