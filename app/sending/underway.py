"""What is under way of one shard: chunks that are intended, messages that wait to be submitted, answers. Pure."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat

from app.domain.chunk import Chunk, Entry, News
from app.domain.delivery import Delivery, after_refusal
from app.domain.traffic import ANSWER_S, PARTS, SUBMISSIONS, THROTTLED, Span, Traffic, took
from app.gateways.base import Answer, Submission

RIPE_AFTER_S = 1.0
"""So long a chunk waits for its last answers before it goes on record without them."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Open:
    """A chunk that is not on record yet."""

    chunk: Chunk
    texts: Sequence[str]
    since: float
    answers: list[Answer | None]
    submitted_at: list[datetime | None]
    answered_at: list[datetime | None]
    left: int
    """Without an answer."""
    unsubmitted: int


@dataclass(frozen=True, slots=True)
class Record:
    """Chunks that can go on record: everybody with `after_id < id <= to_id`."""

    after_id: int
    to_id: int
    chunks: int
    entries: list[Entry] = field(repr=False)
    took: Traffic = field(repr=False)
    """How long the answers took."""


class Underway:
    """Of one holder, under one epoch. `clock` in seconds; `now` is what time it is by the database: a host's own may be
    wrong, and what is due by it would be so too late."""

    def __init__(
        self, epoch: int, validity_s: float, clock: Callable[[], float], now: Callable[[], datetime] = _now
    ) -> None:
        self._epoch = epoch
        self._validity_s = validity_s
        self._clock = clock
        self.now = now
        self._chunks: deque[_Open] = deque()
        self._place: dict[int, tuple[_Open, int]] = {}
        self._queue: deque[Submission] = deque()
        self._again: set[int] = set()
        """Customers who are tried again, until what became of it is on record."""
        self._in_ledger: dict[int, Submission | None] = {}
        """Those who have a row that says submitting, and no answer yet; the message of those that are sent again."""
        self._since: dict[int, datetime | None] = {}
        """When those without an answer on record were submitted."""
        self._news: list[News] = []
        self._traffic: Traffic = Counter()
        """Not counted yet, but for what goes on record by chunks."""

    # ── what goes out ───────────────────────────────────────────────────────────────────────────

    @property
    def chunks(self) -> int:
        """How many are intended and not on record; those that are tried again count as one."""
        return len(self._chunks) + self.has_resubmitted

    @property
    def queued(self) -> int:
        """How many messages wait to be submitted."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way and everything is on record."""
        return not (self._chunks or self._in_ledger or self._news)

    @property
    def has_resubmitted(self) -> bool:
        """Whether what became of some that were tried again is not on record yet."""
        return bool(self._again)

    def add(self, chunk: Chunk, texts: Sequence[str]) -> None:
        """A chunk that was intended, with the message for each of its ids."""
        count = len(chunk.ids)
        nothing = [None] * count
        opened = _Open(chunk, texts, self._clock(), [*nothing], [*nothing], [*nothing], count, count)
        self._chunks.append(opened)
        self._place.update(zip(chunk.ids, zip(repeat(opened), range(count)), strict=False))
        self._queue.extend(map(Submission, chunk.ids, chunk.mobiles, texts, chunk.parts))

    def add_again(self, submissions: Sequence[Submission]) -> None:
        """Messages that have a row, and are intended again."""
        for each in submissions:
            self._in_ledger[each.token] = each
            self._queue.append(each)
        self._again.update(each.token for each in submissions)

    def take(
        self, room: int, parts: int, *, goes_alone: bool = False, counts_messages: bool = False
    ) -> list[Submission]:
        """The next messages to submit, of so many parts together: there is `room` for no more, or for no more messages,
        unless the first one `goes_alone` in spite of it. That `parts` may leave now is no bar to a first message of
        more: it leaves, and owes the rest."""
        taken: list[Submission] = []
        most = parts
        queue, place_of, now = self._queue, self._place, self.now()
        while queue:
            each = queue[0]
            places = 1 if counts_messages else each.parts
            if (places > room and (taken or not goes_alone)) or (each.parts > parts and taken):
                break
            queue.popleft()
            taken.append(each)
            room -= places
            parts -= each.parts
            if found := place_of.get(each.token):
                opened, place = found
                opened.submitted_at[place] = now
                opened.unsubmitted -= 1
        self._traffic[PARTS] += most - parts
        return taken

    def drop(self) -> None:
        """Nothing more is to be submitted: what waits is tried again later, at once if need be."""
        while self._queue:
            each = self._queue.popleft()
            if found := self._place.get(each.token):
                found[0].unsubmitted -= 1
            self.note(Answer(each.token, Delivery.RETRY, is_unsent=True))

    # ── what comes back ─────────────────────────────────────────────────────────────────────────

    def note(self, answer: Answer, at: datetime | None = None, *, again: bool = False) -> None:
        """An answer came, at that moment; None: none came. `again`: the message is to be submitted again at once."""
        token = answer.token
        if answer.is_throttled:
            self._traffic[f"{SUBMISSIONS}:{THROTTLED}"] += 1
        if found := self._place.get(token):
            opened, place = found
            if again:
                chunk = opened.chunk
                opened.submitted_at[place] = None
                opened.unsubmitted += 1
                self._queue.append(Submission(token, chunk.mobiles[place], opened.texts[place], chunk.parts[place]))
            elif opened.answers[place] is None:
                opened.left -= 1
                opened.answers[place] = answer
                opened.answered_at[place] = at
            elif answer.state is not Delivery.UNKNOWN:  # it had one, and this is a late one
                opened.answers[place] = answer
                opened.answered_at[place] = at
            return
        submission = self._in_ledger.get(token)
        if again and submission is not None:
            self._queue.append(submission)
            return
        self._in_ledger.pop(token, None)
        self._traffic.update(took(ANSWER_S, {(self._since.pop(token, None), at): 1}))
        due_at = None if answer.is_attempt else self.now()
        self._news.append(
            News(token, self._epoch, answer.state, answer.provider_id, answer.error, due_at, answer.part_ids)
        )

    def ripe(self, *, all_of_them: bool = False) -> Record | None:
        """The chunks in front that can go on record now: those without a message to wait for, and those that waited
        long enough for the answers of a few. None where the first one cannot. `all_of_them`: whoever has no answer."""
        now = self._clock()
        entries: list[Entry] = []
        to_id: int | None = None
        count = 0
        spans: Counter[Span] = Counter()
        for opened in self._chunks:
            has_waited = now >= opened.since + RIPE_AFTER_S or all_of_them
            if opened.unsubmitted or (opened.left and not has_waited):
                break
            to_id = opened.chunk.to_id
            count += 1
            entries += self._entries(opened)
            spans.update(zip(opened.submitted_at, opened.answered_at, strict=True))
        if to_id is None:
            return None
        return Record(self._chunks[0].chunk.after_id, to_id, count, entries, took(ANSWER_S, spans))

    def uncounted(self) -> Traffic:
        """What came beside the chunks and was not asked for yet: slow answers, refusals because we are too quick."""
        found, self._traffic = self._traffic, Counter()
        return found

    def recorded(self, record: Record) -> None:
        """That is on record. Who had no answer by then is a straggler; an answer since then is news."""
        known = {each.customer_id: each.state for each in record.entries}
        while self._chunks and self._chunks[0].chunk.to_id <= record.to_id:
            opened = self._chunks.popleft()
            ids, sent = opened.chunk.ids, opened.submitted_at
            for token, answer, answered_at, since in zip(ids, opened.answers, opened.answered_at, sent, strict=True):
                del self._place[token]
                if known[token] is not Delivery.SUBMITTING:
                    if answer and _differs(answer.state, known[token]):
                        self.note(answer)
                    continue
                self._in_ledger[token] = None
                self._since[token] = since
                if answer is not None:
                    self.note(answer, answered_at)

    @property
    def news(self) -> Sequence[News]:
        """Of messages that have a row."""
        return self._news

    def told(self, count: int) -> None:
        """So many of the news, the first ones, are on record."""
        if self._again:
            self._again.difference_update(each.customer_id for each in self._news[:count])
        del self._news[:count]

    def _entries(self, opened: _Open) -> list[Entry]:
        chunk, now, entries = opened.chunk, self.now(), []
        for customer_id, mobile, parts, answer, submitted_at in zip(
            chunk.ids, chunk.mobiles, chunk.parts, opened.answers, opened.submitted_at, strict=True
        ):
            at, due_at, attempts = submitted_at or now, None, 1
            if answer is None:
                entries.append(Entry(customer_id, mobile, parts, Delivery.SUBMITTING, at))
                continue
            _, state, provider_id, error, _, _, part_ids, _ = answer
            if state is Delivery.RETRY:
                attempts = int(answer.is_attempt)
                state, due_at = after_refusal(1, self._validity_s, now) if attempts else (state, now)
            entries.append(Entry(customer_id, mobile, parts, state, at, provider_id, error, due_at, attempts, part_ids))
        return entries


def _differs(answer: Delivery, recorded: Delivery) -> bool:
    """Whether a later answer says something else: only a late one can."""
    return recorded is Delivery.UNKNOWN and answer is not Delivery.UNKNOWN


def attempts_of(entries: Sequence[Entry], states: Mapping[Delivery, int]) -> dict[Delivery, int]:
    """Of so many entries in each state those that were submitted and are known to have come to something. Pure."""
    found: dict[Delivery, int] = {}
    found.update((each, count) for each, count in states.items() if each is not Delivery.SUBMITTING)
    if Delivery.RETRY in found:  # some were never submitted
        found[Delivery.RETRY] = sum(each.state is Delivery.RETRY and each.attempts > 0 for each in entries)
    return found
