"""What the demo provider knows whatever it is spoken to as: what it took, what it does wrong, its log, its receipts."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from examples.provider_http import Response
from examples.smsc_book import Book


@dataclass(frozen=True, slots=True)
class Options:
    """What it does wrong; shares are from 0 to 1 of the calls, of messages where it says so."""

    receipts_after: float = 1.0
    """Seconds until a message has reached its phone."""
    undelivered: float = 0.0
    """Of messages."""
    refuse: float = 0.0
    """Of messages: this number is refused."""
    throttle_after: int = 0
    """Messages in a second; more are throttled. 0: as many as come."""
    answer_after: float = 0.0
    """Seconds that an answer takes."""
    drop_answer: float = 0.0
    """It is taken, and no answer comes."""
    half_answer: float = 0.0
    """It is taken, and the connection ends in the middle of the answer."""
    error_after: float = 0.0
    """It is taken, and the answer is status 500."""
    error_before: float = 0.0
    """It is not taken, and the answer is status 500."""
    list_fails: int = 0
    """So many questions for receipts are answered with status 500."""
    fault: str = ""
    """A code of the provider's that every submission is refused with, as for an account that is empty."""

    def changed(self, name: str, value: str) -> Self:
        """One of them as it was written down. Raises ValueError."""
        kinds: dict[str, Any] = {each.name: type(each.default) for each in fields(self)}
        if name not in kinds:
            raise ValueError(f"no option is named {name}")
        return replace(self, **{name: kinds[name](value)})


@dataclass(slots=True)
class Message:
    """One that was taken."""

    id: str
    number: str
    text: str
    reference: str
    template: str
    source: str
    at: float
    """Unix time."""
    is_delivered: bool
    is_pulled: bool = False


@dataclass(slots=True)
class Upward:
    """What somebody with a phone wrote to us."""

    number: str
    text: str
    at: float
    is_pulled: bool = False

    @classmethod
    def now(cls, number: str, text: str) -> Self:
        """This moment."""
        return cls(number, text, time.time())


@dataclass
class Core:
    """`account` and `secret` are what clients have to sign with."""

    log: Path
    options: Options = field(default_factory=Options)
    account: str = "demo"
    secret: str = "secret"  # noqa: S105  it is for nothing
    seed: int = 1
    messages: list[Message] = field(default_factory=list)
    by_number: dict[str, list[Message]] = field(default_factory=dict)
    replies: list[Upward] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Names of the calls that were made and signed right."""
    nonces: set[str] = field(default_factory=set)
    """Of requests that came, each of which may come once."""
    refuses: set[str] = field(default_factory=set)
    """Numbers that are refused, for tests."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  it is chance that can be had again
        self._book = Book(self.log)
        self._times: deque[float] = deque()
        self._number = time.time_ns() // 1000

    def chance(self, share: float) -> bool:
        """Whether this one is among a share."""
        return share > 0 and self._random.random() < share

    def next_id(self) -> int:
        """Rises over restarts."""
        self._number += 1
        return self._number

    def has_room(self, count: int) -> bool:
        """Whether so many more may come now."""
        if not self.options.throttle_after:
            return True
        now = time.monotonic()
        while self._times and self._times[0] <= now - 1:
            self._times.popleft()
        if len(self._times) + count > self.options.throttle_after:
            return False
        self._times.extend([now] * count)
        return True

    def take(
        self, message_id: str, number: str, text: str, reference: str, *, template: str = "", source: str = ""
    ) -> Message:
        """A message is ours now; it stands in the log before anybody is answered."""
        delivered = not self.chance(self.options.undelivered)
        made = Message(message_id, number, text, reference, template, source, time.time(), delivered)
        self.messages.append(made)
        self.by_number.setdefault(number, []).append(made)
        self._book.note(made.at, self.account, number, message_id, reference, text)
        return made

    def refused(self, number: str, reference: str, text: str) -> None:
        """It is in the log without an id."""
        self._book.note(time.time(), self.account, number, "", reference, text)

    def is_due(self, message: Message) -> bool:
        """Whether it has reached its phone, or will not."""
        return time.time() >= message.at + self.options.receipts_after

    def may_list(self) -> bool:
        """Whether receipts can be had now."""
        left = self.options.list_fails
        self.options = replace(self.options, list_fails=max(0, left - 1))
        return left == 0

    async def answered(self, document: Any, status: int = 200) -> Response:
        """The answer to a submission that was taken, or what becomes of it."""
        self._book.write()
        options = self.options
        if options.answer_after:
            await asyncio.sleep(options.answer_after)
        if self.chance(options.drop_answer):
            return Response(is_dropped=True)
        if self.chance(options.half_answer):
            return Response(status, document, is_half=True)
        if self.chance(options.error_after):
            return Response(500, {"message": "internal error"})
        return Response(status, document)
