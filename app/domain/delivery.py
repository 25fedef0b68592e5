"""What becomes of a message that cannot be taken back, and which news of it counts. Pure.

```
(customer) -> submitting -> accepted -> delivered | undelivered | expired      by receipts, final
                 |   |  '-> refused                                         the gateway will not, whoever asks
                 |   '----> retry                                           later: it never left, or there was no room
                 '--------> unknown                                         no answer came, and perhaps it was taken
unknown -> accepted, delivered, ...  a late answer or a receipt proves it
unknown, refused, undelivered, expired -> retry  only because a person, or the gateway's policy, wants it
```
"""

from datetime import datetime, timedelta
from enum import StrEnum


class Delivery(StrEnum):
    """State of one message in the ledger."""

    SUBMITTING = "submitting"
    RETRY = "retry"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def is_taken(self) -> bool:
        """Whether the gateway said that it has it. This is what counts as sent."""
        return self in _TAKEN


_TAKEN = frozenset({Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED})

ANSWERS = frozenset({Delivery.ACCEPTED, Delivery.REFUSED, Delivery.RETRY, Delivery.UNKNOWN})
"""What a submission can come to."""
RECEIPTS = frozenset({Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.REFUSED})
"""What a receipt can say: one of a message on its way only proves that it was taken."""

_AFTER_ANSWER = {
    Delivery.SUBMITTING: ANSWERS,
    Delivery.UNKNOWN: frozenset({Delivery.ACCEPTED, Delivery.REFUSED}),  # it came after the time for it
}
_AFTER_RECEIPT = {
    Delivery.SUBMITTING: RECEIPTS,
    Delivery.UNKNOWN: RECEIPTS,
    Delivery.ACCEPTED: RECEIPTS - {Delivery.ACCEPTED},
}
RETRIABLE = frozenset({Delivery.REFUSED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.UNKNOWN})
"""What a person may have tried again."""


FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 3_600.0


def pause_after(attempts: int, validity_s: float) -> float | None:
    """Seconds before a message is tried again that was refused for now at its last attempt: 10, doubled each time, an
    hour at most. None once the pauses together are longer than it is worth sending."""
    pauses = [min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**each) for each in range(min(attempts, 200))]
    return pauses[-1] if sum(pauses) <= validity_s else None


def after_refusal(attempts: int, validity_s: float, now: datetime) -> tuple[Delivery, datetime | None]:
    """What a message comes to that was refused for now at so many attempts, and when it is due again."""
    pause_s = pause_after(attempts, validity_s)
    return (Delivery.REFUSED, None) if pause_s is None else (Delivery.RETRY, now + timedelta(seconds=pause_s))


def may_follow_answer(now: Delivery, answer: Delivery) -> bool:
    """Whether the gateway's answer makes it so."""
    return answer in _AFTER_ANSWER.get(now, ())


def may_follow_receipt(now: Delivery, receipt: Delivery) -> bool:
    """Whether a receipt makes it so. What is final stays, and a receipt twice is nothing new."""
    return receipt in _AFTER_RECEIPT.get(now, ())
