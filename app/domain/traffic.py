"""What went over a gateway, counted by names: submissions, receipts, and how long both took. Pure.

A name is `kind:label`, as `submissions:accepted`. Of what took how long each bound has a count of its own, of those
that took no longer and longer than the bound before; `sum_us` is what all took together.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.delivery import Delivery

SUBMISSIONS = "submissions"
"""What they came to: one of RESULTS."""
PARTS = "parts:"
"""Of all messages that were submitted."""
RECEIPTS = "receipts"
"""Those whose message is known, by what they say: one of delivery.RECEIPTS."""
UNMATCHED = "unmatched:"
"""Receipts whose message is not."""
ANSWER_S, RECEIPT_S = "answer_s", "receipt_s"
"""From a submission to its answer; and to the receipt that told something new."""

THROTTLED = "throttled"
RESULTS = (Delivery.ACCEPTED, Delivery.REFUSED, Delivery.RETRY, THROTTLED, Delivery.UNKNOWN)
"""Of a submission: taken, refused, refused for now, refused because we are too quick; no answer in time."""

BOUNDS_S: Mapping[str, Sequence[float]] = {
    ANSWER_S: (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    RECEIPT_S: (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0),
}
BEYOND = float("inf")
_SUM = "sum_us"

Traffic = Counter[str]
Span = tuple[datetime | None, datetime | None]
"""When something began and ended; None: it did not, or nobody noted it."""


def submissions(states: Mapping[Delivery, int]) -> Traffic:
    """By what they came to."""
    return Counter({f"{SUBMISSIONS}:{state.value}": count for state, count in states.items() if count})


def took(kind: str, spans: Mapping[Span, int]) -> Traffic:
    """How long it took, by how many took which time."""
    found: Traffic = Counter()
    bounds = BOUNDS_S[kind]
    for (began, ended), count in spans.items():
        if began is None or ended is None:
            continue
        seconds = max(0.0, (ended - began).total_seconds())  # two hosts may have been asked for the time
        place = bisect_left(bounds, seconds)
        found[f"{kind}:{bounds[place] if place < len(bounds) else BEYOND}"] += count
        found[f"{kind}:{_SUM}"] += round(seconds * 1e6) * count
    return found


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many took at most so long, for each bound; the last is BEYOND."""

    upto: Sequence[tuple[float, int]]
    sum_s: float

    @property
    def count(self) -> int:
        return self.upto[-1][1]

    def quantile(self, share: float) -> float | None:
        """Seconds that so large a share of them took at most, between two bounds in proportion; None without any, and
        where it is beyond the last bound."""
        wanted, before, below = share * self.count, 0, 0.0
        for bound, count in self.upto:
            if count >= wanted and count > before:
                return below + (bound - below) * (wanted - before) / (count - before) if bound < BEYOND else None
            before, below = count, bound
        return None


def histogram(kind: str, traffic: Traffic) -> Histogram:
    """Of one kind. Bounds of another release are taken for the next larger one of ours."""
    counts = sorted((float(label), count) for label, count in labelled(kind, traffic) if label != _SUM)
    upto = [(bound, sum(count for each, count in counts if each <= bound)) for bound in [*BOUNDS_S[kind], BEYOND]]
    return Histogram(upto, traffic[f"{kind}:{_SUM}"] / 1e6)


def labelled(kind: str, traffic: Traffic) -> Iterable[tuple[str, int]]:
    """The labels of one kind, each with its count."""
    before = f"{kind}:"
    return [(name.removeprefix(before), count) for name, count in traffic.items() if name.startswith(before)]
