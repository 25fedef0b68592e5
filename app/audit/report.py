"""Checks a campaign's logs against the database, message by message, in bounded memory."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from app.audit.agreement import Agreement
from app.audit.reject_check import RejectCheck
from app.audit.whereabouts import Place, end_here, place_of, read_elsewhere, read_here
from app.campaigns.snapshot import Snapshot, snapshot
from app.dedupe.shared_numbers import as_recorded
from app.domain.campaign import ShardState
from app.domain.greeting import compile_template
from app.domain.page import Page, by_form, prepare
from app.domain.people import People
from app.domain.sharding import gaps, is_within
from app.domain.tally import Tally
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence, Some
from app.store import customers, late, rejects
from app.store.campaigns import Campaign
from app.store.duplicates import Duplicates
from app.store.log_parts import Part
from app.store.shard_pages import ShardPages, pages_of
from app.store.shards import Shard

PAGE_ROWS = 10_000
AT_ONCE = 4
"""Tasks that are checked at the same time, each with a page in memory."""


@dataclass(frozen=True, slots=True)
class TaskReport(Agreement):
    """One task's log. `differences`: none when log and database agree on every id of its range."""

    task: int
    tally: Tally
    """`sent` and the forms of address are what stands in the log, the others what is on record."""
    bytes: int
    first_mobile: str
    last_mobile: str
    seconds: float
    differences: list[Sentence]
    late: list[int] = field(default_factory=list)
    """Ids of customers who were not there yet when their turn passed, and have no message."""
    is_finished: bool = True
    parts: list[Part] = field(default_factory=list)
    """What lies here, and was compared."""
    elsewhere: list[Part] = field(default_factory=list)
    """What lies in other folders."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing lies elsewhere."""
        return not self.elsewhere

    @property
    def differences_here(self) -> list[Sentence]:
        """Those but that it is not finished."""
        return self.differences if self.is_finished else self.differences[1:]

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.tally.sent / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All tasks of a campaign."""

    campaign: Campaign
    tasks: list[TaskReport]
    late_elsewhere: int = 0
    """Customers up to the highest id of the trigger in shards that nobody lived in then."""

    @property
    def late(self) -> int:
        """Customers below the highest id of the trigger who came too late for it. Log and record agree about them."""
        return sum(len(each.late) for each in self.tasks) + self.late_elsewhere

    @property
    def is_whole(self) -> bool:
        """Whether nothing lies elsewhere."""
        return all(task.is_whole for task in self.tasks)

    @property
    def elsewhere(self) -> list[Part]:
        """What lies in other folders."""
        return [part for task in self.tasks for part in task.elsewhere]

    @property
    def agrees(self) -> bool:
        """Whether what was compared does, and is finished."""
        return all(task.agrees for task in self.tasks)

    @property
    def agrees_here(self) -> bool:
        """Whether nothing that was compared differs."""
        return not any(task.differences_here for task in self.tasks)

    @property
    def agrees_so_far(self) -> bool:
        """Whether nothing differs but that some tasks are not finished."""
        return all(task.agrees_so_far for task in self.tasks)


def report(database: Engine, log_dir: Path, name: str) -> Generator[Report | TaskReport]:
    """Each task's report as it is done, then the whole, of what lies in this folder. Raises UnknownCampaign and
    LogUnusable."""
    now = snapshot(database, name)
    place = place_of(database, log_dir)
    checks = [_TaskCheck(database, now.campaign, shard, now.parts[shard.number], place) for shard in now.shards]
    tasks = []
    # While one task waits for the database another is compared.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for task in pool.map(_TaskCheck.run, checks):
            tasks.append(task)
            yield task
    yield Report(now.campaign, tasks, count_elsewhere(database, now))


def count_elsewhere(database: Engine, now: Snapshot) -> int:
    """See Report.late_elsewhere."""
    audience = now.campaign.audience
    if now.campaign.chosen:  # all of whom are in shards
        return 0
    empty = gaps([each for each in now.shards if not each.late])
    with database.connect() as connection:
        ids = late.of_campaign(connection, now.campaign.id).ids
        listed = customers.listed(connection, audience, [each for each in ids if is_within(each, empty)])
        return sum(customers.count_range(connection, audience, *each) for each in empty) - len(listed)


class _Without(NamedTuple):
    """A customer whose message does not stand in the log as it is now."""

    customer_id: int
    gender: int | None
    key: int
    """A hash of whom it greets."""


class _TaskCheck:
    """Compares one log with what the database says it must hold, page by page; only what differs is looked at twice."""

    def __init__(self, database: Engine, campaign: Campaign, shard: Shard, parts: Sequence[Part], place: Place) -> None:
        self._database = database
        self._campaign = campaign
        self._shard = shard
        self._here = read_here(place, campaign.name, shard, parts)
        self._elsewhere = read_elsewhere(self._here, parts)
        self._recorded = sum((each.tally.sent for each in self._here), 0)
        # Its last part is here, or what is in others may be about to be cut off.
        is_over = shard.state is ShardState.FINISHED or not any(each.is_open for each in self._here)
        self._is_still = is_over and not any(each.to_cut for each in self._here)
        self._path = log_path(place.log_dir, campaign.name, shard.number)
        self._template = compile_template(campaign.template, None)
        self._found = Tally()
        self._first_mobile = self._last_mobile = ""
        self._differences: list[Sentence] = []
        self._came_late: list[int] = []
        with database.connect() as connection:
            self._late = late.of_shard(connection, campaign.id, shard.number) if shard.late else None
            self._duplicates = Duplicates(connection, campaign.id, shard.after_id, shard.to_id)
        self._rejects = RejectCheck(database, campaign, shard, self._here, place.log_dir, is_still=self._is_still)

    def run(self) -> TaskReport:
        shard = self._shard
        if shard.state is not ShardState.FINISHED:
            done, total = shard.last_id - shard.after_id, shard.to_id - shard.after_id
            self._differ("difference.unfinished", count=total, done=done)
        size = 0
        try:
            if self._here:
                size = self._path.stat().st_size
                self._compare(size)
        except FileNotFoundError:
            self._differ("difference.no_log", path=self._path)
        except OSError as error:
            size = 0
            self._differ("log_unusable.unreadable", path=self._path, why=error.strerror)
        self._differences += self._rejects.differences()
        lines = self._found.sent
        if lines != self._recorded:
            self._differ("difference.messages", count=self._recorded, right=lines)
        return TaskReport(
            task=shard.number,
            tally=self._tally(),
            bytes=size,
            first_mobile=self._first_mobile,
            last_mobile=self._last_mobile,
            seconds=shard.work_ms / 1000,
            differences=self._differences,
            late=self._came_late,
            is_finished=shard.state is ShardState.FINISHED,
            parts=[each for each in self._here if not each.is_empty],
            elsewhere=self._elsewhere,
        )

    def _tally(self) -> Tally:
        """Who was gone is known of a whole task alone."""
        shard = self._shard
        if not self._elsewhere:
            known = shard.tally
            return replace(self._found, rejected=known.rejected, gone=known.gone, audience=known.audience)
        of = (shard.campaign_id, shard.number)
        with self._database.connect() as connection:
            rejected = [rejects.count(connection, *of, each.after_id, each.last_id).total() for each in self._here]
        return replace(self._found, rejected=sum(rejected), audience=None)

    def _compare(self, size: int) -> None:
        """Page against the next bytes of the log; at the first that differ, the rest goes to `_find_differences`."""
        shard = self._shard
        if size < (end := end_here(self._here)):
            self._differ("difference.size", count=size, written=end)
        with self._path.open("rb") as log:
            for after_id, page, last_id in self._pages(shard.after_id):
                at = log.tell()
                expected = page.text.encode()
                if log.read(len(expected)) != expected:
                    self._find_differences(after_id, at)
                    return
                self._rejects.compare(page.rejects, after_id, last_id)
                self._count(page.greeted)
            if log.tell() < size and self._is_still:
                self._find_differences(shard.to_id, log.tell())

    def _pages(self, after_id: int) -> Iterator[tuple[int, Page, int]]:
        """What lies here after an id, page by page: after which id each comes, and up to which one."""
        of = (self._campaign, self._shard)
        for part in self._here:
            cursor = max(after_id, part.after_id)
            if cursor >= part.last_id:
                continue
            with self._database.connect() as connection:
                pages = pages_of(connection, *of, part.last_id, PAGE_ROWS, self._template.columns)
            while cursor < part.last_id:
                page, last_id = self._page(pages, cursor)
                yield cursor, page, last_id
                cursor = last_id

    def _page(self, pages: ShardPages, after_id: int) -> tuple[Page, int]:
        """What comes after an id, and up to which one."""
        with self._database.connect() as connection:
            people, last_id = pages.after(connection, after_id)
            of = (self._shard.campaign_id, self._duplicates, people, after_id, last_id)
            not_sent = self._late.not_sent if self._late else as_recorded(connection, *of)
        return prepare(self._template, people, not_sent), last_id

    def _count(self, greeted: People) -> None:
        if greeted:
            self._found += by_form(greeted.genders)
            self._first_mobile = self._first_mobile or greeted.mobiles[0]
            self._last_mobile = greeted.mobiles[-1]

    def _find_differences(self, after_id: int, at: int) -> None:
        """What is missing and what is too much from here on. Holds a hash per line of one log at most."""
        with self._path.open("rb") as log:
            log.seek(at)
            unexplained = Counter(map(hash, log))
        without: list[_Without] = []
        for cursor, page, last_id in self._pages(after_id):
            absent = []
            for place, message in enumerate(page.text.encode().splitlines(keepends=True)):
                line = hash(message)
                if unexplained[line] > 0:
                    unexplained[line] -= 1
                else:
                    absent.append(place)
                    key = hash(self._template.addressee(message))
                    without.append(_Without(page.greeted.ids[place], page.greeted.genders[place], key))
            self._rejects.compare(page.rejects, cursor, last_id)
            self._count(page.greeted.without(absent))
        otherwise = self._find_otherwise(without, unexplained, at)
        self._say(otherwise, sorted({each.customer_id for each in without}.difference(otherwise)), unexplained, at)

    def _find_otherwise(self, without: Sequence[_Without], unexplained: Counter[int], at: int) -> list[int]:
        """Ids of those without their message whose number has one all the same, as when somebody was renamed since.
        Their lines are explained by it."""
        waiting: dict[int, list[_Without]] = {}
        for each in reversed(without):
            waiting.setdefault(each.key, []).append(each)
        found: list[_Without] = []
        with self._path.open("rb") as log:
            log.seek(at)
            for line in log if waiting else ():
                if unexplained[hash(line)] <= 0 or (key := self._template.addressee(line)) is None:
                    continue
                if those := waiting.get(hash(key)):
                    unexplained[hash(line)] -= 1
                    found.append(those.pop())
        self._found += by_form([each.gender for each in found])
        return sorted(each.customer_id for each in found)

    def _say(self, otherwise: list[int], missing: list[int], unexplained: Counter[int], at: int) -> None:
        too_many = unexplained.total()
        if otherwise:
            self._differ("difference.otherwise", count=len(otherwise), ids=Some(otherwise))
        if missing and self._found.sent == self._recorded:  # every message that was sent is there
            self._came_late = missing
        elif missing:
            self._differ("difference.missing", count=len(missing), ids=Some(missing))
        if too_many:
            lines = Some((f"{number:,}" for number in self._lines_of(unexplained, at)), too_many)
            where = Sentence("line_numbers", count=lines.count, lines=lines)
            self._differ("difference.too_many", count=too_many, lines=where)
        if not (otherwise or missing or too_many):
            self._differ("difference.order")

    def _differ(self, code: str, /, **facts: object) -> None:
        self._differences.append(Sentence(code, **facts))

    def _lines_of(self, unexplained: Counter[int], at: int) -> Iterator[int]:
        """Numbers, from 1, of the lines that are left over."""
        with self._path.open("rb") as log:
            before = 0
            while log.tell() < at:
                before += log.read(min(1 << 20, at - log.tell())).count(b"\n")
            for number, line in enumerate(log, start=before + 1):
                if unexplained[hash(line)] > 0:
                    yield number
