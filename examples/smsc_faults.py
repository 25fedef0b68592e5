"""What the demo message centre does wrong, and to whom. Pure."""

import random
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, get_type_hints

from app.gateways.smpp import status

LONG_S = 15.0


class Form(StrEnum):
    """How a receipt is written."""

    BOTH = "both"
    """As a text, and as optional parameters."""
    TEXT = "text"
    TLV = "tlv"
    ODD = "odd"
    """As a text that keeps to no standard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Of the whole message centre. Shares are from 0 to 1."""

    receipts_after: float = 1.0
    """Seconds from a submission to its receipt."""
    receipt_form: Form = Form.BOTH
    receipt_hex: bool = False
    """Answers have decimal ids, receipts the same in hexadecimal."""
    no_receipt: float = 0.0
    receipt_early: float = 0.0
    receipt_twice: float = 0.0
    undelivered: float = 0.0
    throttle_after: int = 0
    """So many submissions in a second are taken; 0 is no limit."""
    answer_after: float = 0.0
    """Seconds that an answer takes."""
    refuse: float = 0.0
    drop_answer: float = 0.0
    answer_twice: float = 0.0
    answer_late: float = 0.0
    disconnect: float = 0.0
    by_number: bool = False

    def changed(self, name: str, value: str) -> "Options":
        """With another value for one of them, as text. Raises ValueError."""
        hints = get_type_hints(Options)
        if name not in {each.name for each in fields(self)}:
            raise ValueError(f"there is no option {name}")
        kind = hints[name]
        new: Any = value.lower() in {"1", "true", "yes", "on"} if kind is bool else kind(value)
        return replace(self, **{name: new})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one submission."""

    status: int = status.ESME_ROK
    answers: int = 1
    answer_after_s: float = 0.0
    disconnect: bool = False
    """Hang up instead of answering."""
    receipts: int = 1
    receipt_early: bool = False
    """Before the answer."""
    state: int = 2
    form: Form = Form.BOTH
    reply: str = ""


BY_NUMBER: dict[str, tuple[str, Plan]] = {
    "999901": ("throttled", Plan(status=status.ESME_RTHROTTLED)),
    "999902": ("refused for good, ESME_RINVDSTADR", Plan(status=status.ESME_RINVDSTADR)),
    "999903": ("refused for now, ESME_RMSGQFUL", Plan(status=status.ESME_RMSGQFUL)),
    "999904": ("accepted, and not answered", Plan(answers=0)),
    "999905": ("accepted, and answered twice", Plan(answers=2)),
    "999906": ("accepted, then the connection is closed without an answer", Plan(disconnect=True)),
    "999907": (f"accepted, and answered {LONG_S:g} s later", Plan(answer_after_s=LONG_S)),
    "999908": ("the receipt comes before the answer", Plan(receipt_early=True)),
    "999909": ("the receipt comes twice", Plan(receipts=2)),
    "999910": ("the receipt says UNDELIV", Plan(state=5)),
    "999911": ("the receipt says EXPIRED", Plan(state=3)),
    "999912": ("the receipt is written in an odd way", Plan(form=Form.ODD)),
    "999913": ("no receipt comes", Plan(receipts=0)),
    "999914": ("delivered, and TD is the reply", Plan(reply="TD")),
    "999915": ("delivered, and 退订 is the reply", Plan(reply="退订")),
    "999916": ("accepted, no answer, but a receipt", Plan(answers=0, receipt_early=True)),
}
"""By the last six digits, with --by-number."""


class Faults:
    """Decides by the options, by number and by chance; the same seed decides the same."""

    def __init__(self, options: Options, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 (no secret)
        self._second = -1
        self._in_second = 0
        self.options = options

    @property
    def options(self) -> Options:
        """May be changed at any time."""
        return self._options

    @options.setter
    def options(self, options: Options) -> None:
        self._options = options
        self._usual = Plan(form=options.receipt_form, answer_after_s=options.answer_after)
        shares = ("no_receipt", "receipt_early", "receipt_twice", "undelivered", "refuse", "drop_answer")
        more = ("answer_twice", "answer_late", "disconnect")
        self._has_shares = any(getattr(options, name) for name in (*shares, *more))

    def plan(self, number: str, now: float) -> Plan:
        """For a submission to `number` at Unix time `now`."""
        options = self._options
        if options.throttle_after:
            self._in_second = self._in_second + 1 if int(now) == self._second else 1
            self._second = int(now)
            if self._in_second > options.throttle_after:
                return Plan(status=status.ESME_RTHROTTLED)
        if options.by_number and number[-6:] in BY_NUMBER:
            return BY_NUMBER[number[-6:]][1]
        return self._by_chance() if self._has_shares else self._usual

    def _by_chance(self) -> Plan:
        options, happens = self._options, self._happens
        if happens(options.refuse):
            return Plan(status=status.ESME_RINVDSTADR)
        usual = self._usual
        return replace(
            usual,
            disconnect=happens(options.disconnect),
            answers=0 if happens(options.drop_answer) else 2 if happens(options.answer_twice) else 1,
            answer_after_s=LONG_S if happens(options.answer_late) else usual.answer_after_s,
            receipts=0 if happens(options.no_receipt) else 2 if happens(options.receipt_twice) else 1,
            receipt_early=happens(options.receipt_early),
            state=5 if happens(options.undelivered) else 2,
        )

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share
