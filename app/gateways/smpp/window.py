"""What is submitted and not answered yet: which messages, since when, and what becomes of them. Pure.

A message is told once, when its last part is answered, timed out or lost. What is answered after that is told again.
"""

from collections.abc import Iterable
from enum import StrEnum
from itertools import takewhile
from typing import Any, NamedTuple

from app.gateways.smpp.commands import Command
from app.gateways.smpp.pdu import LAST_SEQUENCE
from app.gateways.smpp.stream import HEADER

MOST_LATE = 100_000
"""So many messages whose answer is missing are remembered; of more, the oldest are forgotten."""
_LONGEST_ID = 64


class Outcome(StrEnum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    """The message centre has all of it."""
    REFUSED = "refused"
    """It has nothing of it; `status` says why, and status.kind() whether to try again."""
    PARTIAL = "partial"
    """It has some of the parts and refused others, so trying again would send these twice."""
    UNANSWERED = "unanswered"
    """It may have it: the bytes left, and no answer came in time, or the link was lost."""
    UNSENT = "unsent"
    """It has nothing of it: not a byte left. May be submitted again."""


class Answer(NamedTuple):
    """What became of one message."""

    token: Any
    outcome: Outcome
    provider_ids: tuple[str, ...] = ()
    """The message centre's ids of the parts that it accepted, in the order of the parts."""
    status: int = 0
    """The command status of the first part that was refused."""


class _Message:
    """One of several parts."""

    __slots__ = ("accepted", "doubtful", "ids", "open", "refused", "status", "token", "unsent")

    def __init__(self, token: Any, parts: int) -> None:
        self.token = token
        self.open = parts
        self.accepted = self.refused = self.unsent = 0
        self.doubtful = 0
        """Parts that were given up; their answer may still come."""
        self.ids = [""] * parts
        self.status = 0

    def answer(self) -> Answer:
        ids = tuple(filter(None, self.ids))
        if self.doubtful:
            outcome = Outcome.UNANSWERED
        elif self.accepted:
            outcome = Outcome.PARTIAL if self.refused or self.unsent else Outcome.ACCEPTED
        else:
            outcome = Outcome.REFUSED if self.refused else Outcome.UNSENT
        return Answer(self.token, outcome, ids, self.status)


class _Part(NamedTuple):
    message: _Message
    at: int


class Window:
    """Of one link. `size` counts parts."""

    def __init__(self, size: int, answer_timeout_s: float) -> None:
        self.size = size
        self._timeout_s = answer_timeout_s
        self._sequence = 0
        self._open: dict[int, tuple[Any, float]] = {}
        """By sequence number: the token, or the part of a longer message, and when it is given up; rising."""
        self._late: dict[int, Any] = {}
        self.unsent: dict[int, bytes] = {}
        """PDUs that were not given to the kernel, by sequence number, in their order; whoever gives them clears it."""
        self.answers: list[Answer] = []
        """What is to be told; whoever tells it takes the list away."""
        self.late: list[Answer] = []
        self.unasked = 0
        """Answers to nothing that we know."""

    def __len__(self) -> int:
        return len(self._open)

    def has_room(self, parts: int) -> bool:
        """A message of more parts than the window has places goes when nothing else is under way."""
        return len(self._open) + parts <= self.size or not self._open

    @property
    def deadline(self) -> float | None:
        """When the oldest is given up."""
        return next(iter(self._open.values()))[1] if self._open else None

    def next_sequence(self) -> int:
        """For a request that is no submission, too."""
        self._sequence = self._sequence + 1 if self._sequence < LAST_SEQUENCE else 1
        return self._sequence

    def add(self, messages: Iterable[tuple[Any, list[bytes]]], now: float) -> int:
        """Take messages in, token and bodies of each, up to the first that there is no room for; how many were taken.
        Their PDUs are in `unsent`."""
        opened, unsent, pack = self._open, self.unsent, HEADER.pack
        deadline, taken = now + self._timeout_s, 0
        for token, bodies in messages:
            if not self.has_room(len(bodies)):
                break
            message = _Message(token, len(bodies)) if len(bodies) > 1 else None
            for at, body in enumerate(bodies):
                sequence = self.next_sequence()
                opened[sequence] = (token if message is None else _Part(message, at), deadline)
                unsent[sequence] = pack(16 + len(body), Command.SUBMIT_SM, 0, sequence) + body
            taken += 1
        return taken

    def settle(self, sequence: int, status: int, body: bytes) -> bool:
        """An answer came. False where it answers nothing that we know."""
        provider_id = body.partition(b"\0")[0][:_LONGEST_ID].decode("latin-1")
        # What was not sent cannot be answered: such an answer is a guess.
        found = None if self.unsent and sequence in self.unsent else self._open.pop(sequence, None)
        if found is not None:
            token, was_late = found[0], False
        elif sequence in self._late:
            token, was_late = self._late.pop(sequence), True
        else:
            self.unasked += 1
            return False
        if type(token) is _Part:
            self._settle_part(token, status, provider_id, was_late=was_late)
        elif status:
            (self.late if was_late else self.answers).append(Answer(token, Outcome.REFUSED, (), status))
        else:
            (self.late if was_late else self.answers).append(Answer(token, Outcome.ACCEPTED, (provider_id,)))
        return True

    def _settle_part(self, part: _Part, status: int, provider_id: str, *, was_late: bool) -> None:
        message = part.message
        if was_late:
            message.doubtful -= 1
        else:
            message.open -= 1
        if status:
            message.refused += 1
            message.status = message.status or status
        else:
            message.accepted += 1
            message.ids[part.at] = provider_id
        # The parts of a message are given up together, so one that is late was told.
        if was_late and not message.doubtful:
            self.late.append(message.answer())
        elif not was_late and not message.open:
            self.answers.append(message.answer())

    def expire(self, now: float) -> int:
        """Give up what was not answered in time; how many there were."""
        # Looked for once: a dict finds its first entry the slower, the more were taken out before it.
        is_due = list(takewhile(lambda item: item[1][1] <= now, self._open.items()))
        for sequence, (token, _) in is_due:
            self._give_up(sequence, token)
        return len(is_due)

    def lose(self) -> None:
        """The link is gone: nothing more can be answered."""
        for sequence, (token, _) in list(self._open.items()):
            self._give_up(sequence, token)
        self._late.clear()

    def _give_up(self, sequence: int, token: Any) -> None:
        del self._open[sequence]
        is_unsent = self.unsent.pop(sequence, None) is not None
        if not is_unsent:
            self._late[sequence] = token
            if len(self._late) > MOST_LATE:
                del self._late[next(iter(self._late))]
        if type(token) is not _Part:
            self.answers.append(Answer(token, Outcome.UNSENT if is_unsent else Outcome.UNANSWERED))
            return
        message = token.message
        message.open -= 1
        if is_unsent:
            message.unsent += 1
        else:
            message.doubtful += 1
        if not message.open:
            self.answers.append(message.answer())
