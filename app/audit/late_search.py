"""Searches one shard for customers who were not met: no line of the log is theirs, or was.

A customer whose line stands in the log as it would be written now is a landmark: those between two landmarks can only
have lines between the landmarks' lines, for both are in the order of ids.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Engine

from app.domain.greeting import Template
from app.domain.page import Page, prepare
from app.gateways.log_file.reader import LogReader
from app.store import heirs, rejects
from app.store.campaigns import Campaign
from app.store.duplicates import Duplicates
from app.store.shard_pages import pages_of
from app.store.shards import Shard

PAGE_ROWS = 10_000
FEW = 10
"""Landmarks that contradict another one: so many may all be wrong."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer and the line that they would get now; empty for who would get none."""

    customer_id: int
    line: bytes


def persons(page: Page) -> list[Person]:
    """Everybody on the page, in the order of ids."""
    lines = page.text.encode().splitlines(keepends=True)
    greeted = [Person(number, line) for number, line in zip(page.greeted.ids, lines, strict=True)]
    not_greeted = [Person(each.customer_id, b"") for each in page.rejects]
    return sorted([*greeted, *not_greeted], key=lambda each: each.customer_id)


class LateSearch:
    """Of a shard that is finished, and whose log is as long as it was written."""

    def __init__(self, database: Engine, campaign: Campaign, log: LogReader, shard: Shard, template: Template) -> None:
        self._database = database
        self._log = log
        self._shard = shard
        self._template = template
        self._after_id = shard.after_id
        self._before = b""
        """The last line of those pages that are as they would be written now."""
        with database.connect() as connection:
            self._pages = pages_of(connection, campaign, shard, shard.to_id, PAGE_ROWS, template.columns)
            self._duplicates = Duplicates(connection, shard.campaign_id, shard.after_id, shard.to_id)
        self.late: list[Person] = []
        self.doubtful: list[int] = []
        """Between whose neighbours a line stands that is nobody's now."""

    def run(self) -> None:
        """As long as the log is as it would be written now it is read page by page; from there on, 200 bytes for each
        of its lines are in memory."""
        position = 0
        while self._after_id < self._shard.to_id:
            page, recorded, reached = self._next_page()
            expected = page.text.encode()
            is_as_now = all(each.customer_id in recorded for each in page.rejects)
            if not is_as_now or self._log.delivered(position, len(expected)) != expected:
                self._search(position, page, recorded, reached)
                return
            position += len(expected)
            self._after_id = reached
            self._before = expected[expected.rfind(b"\n", 0, -1) + 1 :] or self._before

    def _next_page(self) -> tuple[Page, set[int], int]:
        """Customers after the last page, who of them is on record as not greeted, and the id up to which that is."""
        with self._database.connect() as connection:
            people, reached = self._pages.after(connection, self._after_id)
            between = (connection, self._shard.campaign_id)
            rejected = rejects.between(*between, None, self._after_id, reached)
            inherited = heirs.inherited(*between, self._after_id, reached)
        recorded = {each.customer_id for each in rejected}.union(inherited)
        return prepare(self._template, people, recorded), recorded, reached

    def _search(self, position: int, page: Page, recorded: set[int], reached: int) -> None:
        starts: list[int] = []
        place_of: dict[int, int | None] = {}
        for place, (at, line) in enumerate(self._log.lines(position)):
            starts.append(at)
            key = hash(line)
            place_of[key] = None if key in place_of else place  # which of two that are the same is whose, nobody knows
        landmarks: list[tuple[int, int]] = []
        others: list[Person] = []
        while True:
            for each in persons(page):
                if each.customer_id in recorded:
                    continue
                its_place = place_of.get(hash(each.line)) if each.line else None
                if its_place is None:
                    others.append(each)
                else:
                    landmarks.append((each.customer_id, its_place))
            self._after_id = reached
            if self._after_id >= self._shard.to_id:
                break
            page, recorded, reached = self._next_page()
        kept = in_order(landmarks)
        for number, place in {*landmarks}.difference(kept):
            others.append(Person(number, self._line_at(starts[place])))
        others.sort(key=lambda each: each.customer_id)
        self._sort_out(others, kept, starts)

    def _sort_out(self, others: Sequence[Person], landmarks: Sequence[tuple[int, int]], starts: Sequence[int]) -> None:
        """By stretches between two landmarks that have somebody in them."""
        ids = [number for number, _ in landmarks]
        at = 0
        while at < len(others):
            behind = bisect_right(ids, others[at].customer_id)
            next_id = ids[behind] if behind < len(ids) else self._shard.to_id + 1
            end = bisect_left(others, next_id, lo=at, key=lambda each: each.customer_id)
            first = landmarks[behind - 1][1] + 1 if behind else 0
            last = landmarks[behind][1] if behind < len(ids) else len(starts)
            between = [line for _, line in islice(self._log.lines(starts[first]), last - first)] if first < last else []
            beside = [self._line_at(starts[first - 1]) if first else self._before]
            if last < len(starts):
                beside.append(self._line_at(starts[last]))
            self._decide(others[at:end], between, beside)
            at = end

    def _line_at(self, position: int) -> bytes:
        return next(self._log.lines(position))[1]

    def _decide(self, some: Sequence[Person], lines: Sequence[bytes], beside: Sequence[bytes]) -> None:
        """`lines`: all that stand where theirs would; `beside`: the landmarks'.

        A line with the number of one of them may be theirs, under another name, or was somebody else's between the
        landmarks who has got another number. So may a landmark's line be, where it differs from one's own in nothing
        but the number.
        """
        left = Counter(lines)
        without = [each for each in some if not _takes(left, each.line)]
        numbers = Counter(map(self._number, left.elements()))
        without = [each for each in without if not _takes(numbers, self._number(each.line))]
        not_to_be_sent = self._duplicates.within(some[0].customer_id - 1, some[-1].customer_id)
        alike = {self._but_number(line) for line in beside}
        for each in without:
            if each.customer_id in not_to_be_sent:
                continue
            if left.total() or (each.line and self._but_number(each.line) in alike):
                self.doubtful.append(each.customer_id)
            else:
                self.late.append(each)

    def _number(self, line: bytes) -> bytes:
        return self._template.addressee(line) or b""

    def _but_number(self, line: bytes) -> bytes:
        number = self._number(line)
        return line.replace(number, b"") if number else line


def _takes(there: Counter[bytes], one: bytes) -> bool:
    """Whether it is there, and then it is not any more."""
    is_there = one != b"" and there[one] > 0
    if is_there:
        there[one] -= 1
    return is_there


def in_order(landmarks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those whose lines stand in the order of their ids, which ascend. Of a line whose number and name moved to another
    customer the landmark is in the wrong place: it goes, and where only a few others contradict it, so that it is not
    clear which are wrong, they go, too."""
    kept = _longest_ascending(landmarks)
    is_clear = [True] * len(kept)
    for number, place in {*landmarks}.difference(kept):
        by_id = bisect_left(kept, number, key=lambda each: each[0])
        by_place = bisect_left(kept, place, key=lambda each: each[1])
        if abs(by_id - by_place) <= FEW:
            for index in range(min(by_id, by_place), min(max(by_id, by_place) + 1, len(kept))):
                is_clear[index] = False
    return [each for each, is_sure in zip(kept, is_clear, strict=True) if is_sure]


def _longest_ascending(landmarks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of which both numbers ascend, by patience."""
    tops: list[int] = []
    """The lowest second number that a part of each length ends with."""
    tails: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(landmarks):
        length = bisect_left(tops, place)
        before.append(tails[length - 1] if length else -1)
        if length == len(tops):
            tops.append(place)
            tails.append(index)
        else:
            tops[length] = place
            tails[length] = index
    kept = []
    index = tails[-1] if tails else -1
    while index >= 0:
        kept.append(landmarks[index])
        index = before[index]
    return kept[::-1]
