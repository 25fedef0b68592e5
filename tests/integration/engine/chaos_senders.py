"""Who asks the server of the chaos test for tasks, and asks again for each that it was not told to be submitted."""

import struct
import threading
import time
from collections.abc import Callable

from engine import Client
from tests.integration.engine.chaos_program import LARGE

Connect = Callable[[], Client]
AT_ONCE = 40
"""Numbers that a sender has sent and that are not yet said to be submitted."""
BODIES = [b"", b"small", b"x" * 5_000, LARGE]


class Pace:
    """When a sender may send which share of its numbers: what they do is spread over what is done to them."""

    def __init__(self, over_s: float) -> None:
        self._over_s = over_s
        self._began_at = time.monotonic()

    def wait_for(self, share: float) -> None:
        time.sleep(max(0.0, self._began_at + share * self._over_s - time.monotonic()))


class Sender(threading.Thread):
    """A client that sends numbers until it was told of each that its task is submitted; connects again when it must."""

    def __init__(self, connect: Connect, numbers: range, pace: Pace, body: bytes | None = None) -> None:
        """`body`: of each of them; without one they take turns with BODIES."""
        super().__init__(daemon=True)
        self._connect = connect
        self._pace = pace
        self._body = body
        self.numbers = numbers
        self.unsaid = dict.fromkeys(numbers)

    def run(self) -> None:
        while self.unsaid:
            try:
                self._send_all()
            except OSError:
                time.sleep(0.01)

    def _send_all(self) -> None:
        with self._connect() as client:
            to_send = list(self.unsaid)
            for first in range(0, len(to_send), AT_ONCE):
                some = to_send[first : first + AT_ONCE]
                self._pace.wait_for(1 - (len(self.unsaid) - len(some)) / len(self.numbers))
                for number in some:
                    body = BODIES[number % len(BODIES)] if self._body is None else self._body
                    client.send(struct.pack(">I", number) + body)
                for _ in some:
                    said = client.read(4)
                    if len(said) < 4:
                        return
                    self.unsaid.pop(struct.unpack(">I", said)[0], None)


class Crowd:
    """All who ask. Numbers are given out in order."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._senders: list[Sender] = []
        self._next = 0

    @property
    def numbers(self) -> set[int]:
        """Every number whose task is to be done."""
        return set(range(self._next))

    def begin(self, count: int, pace: Pace, body: bytes | None = None) -> None:
        """One more sender, of `count` numbers."""
        sender = Sender(self._connect, range(self._next, self._next + count), pace, body)
        self._next += count
        self._senders.append(sender)
        sender.start()

    def ask(self, body: bytes, count: int = 1) -> None:
        """Have tasks with this body submitted, by and by."""
        self.begin(count, Pace(0), body)

    def join(self, within_s: float) -> None:
        """Wait until the server has taken every number; fails when it does not in time."""
        deadline = time.monotonic() + within_s
        for sender in self._senders:
            sender.join(max(0.0, deadline - time.monotonic()))
        unsaid = {number for sender in self._senders for number in sender.unsaid}
        assert not unsaid, f"{len(unsaid)} not submitted, such as {sorted(unsaid)[:5]}"
