"""A network for tests, in this process: it takes messages as it is told to, and keeps a log of its own."""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.domain.delivery import Delivery
from app.domain.price import Price
from app.domain.sms_parts import cost
from app.errors import GatewayAway
from app.gateways.base import Answer, Outstanding, Submission, Take, Wording, plain
from app.sentence import Sentence

Fate = Callable[[int, Submission], Answer | None]
"""What a submission comes to, by how many there were before it; None: no answer before the time for it."""


def taken(number: int, each: Submission) -> Answer | None:
    """The usual fate."""
    return Answer(each.token, Delivery.ACCEPTED, f"id-{number}")


@dataclass(slots=True)
class Network:
    """See gateways/base.py."""

    name: str = "net"
    rate: float | None = None
    opt_out_key: str = "-"
    answer_timeout_s: float = 0.3
    validity_s: int = 86_400
    receipts_for_s: int = 259_200
    doubt: Delivery = Delivery.UNKNOWN
    max_parts: int = 10
    price: Price | None = None
    binds: int = 4
    calls: int = 0
    by_parts: bool = False
    window: int = 50
    fate: Fate = taken
    is_away: bool = False
    log: list[tuple[float, int, str]] = field(default_factory=list)
    """When, to which number, and what."""
    lines: int = 0
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def templates(self) -> dict[str, str]:
        return {}

    def wording(self, template_name: str) -> Wording:
        return plain(self.message)

    def message(self, text: str, template_name: str = "") -> tuple[str, int]:
        return text, cost(text).parts

    def check_account(self) -> None:
        pass

    async def open(self, take: Take, reference: str, template_name: str = "") -> "Line":
        if self.is_away:
            raise GatewayAway("gateway_away", where=self.name, why="the network is away")
        self.lines += 1
        return Line(self)

    async def check(self) -> None:
        raise NotImplementedError

    @property
    def hears(self) -> bool | None:
        return None

    @property
    def why_deaf(self) -> Sentence | None:
        return None

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        raise NotImplementedError

    @property
    def numbers(self) -> Counter[int]:
        """How often each number was submitted to."""
        return Counter(mobile for _, mobile, _ in self.log)


class Line:
    """Answers at once, in the reverse order; what has no answer is in doubt after the time for it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._out: dict[int, float] = {}
        self._answers: deque[Answer] = deque()
        self._changed = asyncio.Event()

    @property
    def room(self) -> int:
        return self._network.window - len(self._out) - len(self._answers)

    @property
    def is_empty(self) -> bool:
        return self.room == self._network.window

    @property
    def under_way(self) -> int:
        return len(self._out)

    @property
    def why_away(self) -> Sentence | None:
        return Sentence("plain", text="the network is away") if self._network.is_away else None

    def submit(self, submissions: Sequence[Submission]) -> None:
        assert len(submissions) <= self.room or (self.is_empty and len(submissions) == 1)
        for each in submissions:
            self._network.log.append((time.monotonic(), each.mobile, each.text))
            answer = self._network.fate(next(self._network._count), each)
            if answer is None:
                self._out[each.token] = time.monotonic() + self._network.answer_timeout_s
            else:
                self._answers.appendleft(answer)
        self._changed.set()

    async def answers(self) -> Sequence[Answer]:
        while True:
            now = time.monotonic()
            for token in [token for token, until in self._out.items() if until <= now]:
                del self._out[token]
                self._answers.append(Answer(token, Delivery.UNKNOWN, error="no answer"))
            if self._answers:
                found = list(self._answers)
                self._answers.clear()
                return found
            self._changed.clear()
            try:
                async with asyncio.timeout(0.05):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        self._out.clear()
