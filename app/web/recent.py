"""What went over gateways of late: what was counted when it was last looked at beside what is counted now."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from app.domain.traffic import PARTS, RECEIPT_S, RESULTS, SUBMISSIONS, THROTTLED, Traffic, histogram

SHORT_S, LONG_S = 10.0, 300.0
"""For a rate; and for shares."""
EVERY_S = 2.0
"""Nothing is kept that is not so much older than the next."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one gateway; None where it cannot be told yet, or there was nothing to tell it by."""

    parts_per_s: float | None = None
    throttled: float | None = None
    """Share of the submissions."""
    receipts_p95_s: float | None = None


NOTHING = Pace()


class Recent:
    """Remembers what it was shown. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, Mapping[str, Traffic]]] = deque()
        self._lock = Lock()

    def paces(self, traffic: Mapping[str, Traffic]) -> dict[str, Pace]:
        """By gateway, where `traffic` is what is counted now."""
        now = self._clock()
        with self._lock:  # threads look
            while len(self._seen) > 1 and self._seen[1][0] <= now - LONG_S:
                self._seen.popleft()
            short = next((each for each in reversed(self._seen) if each[0] <= now - SHORT_S), None)
            first = self._seen[0] if self._seen else None
            if not self._seen or now >= self._seen[-1][0] + EVERY_S:
                self._seen.append((now, traffic))
        if first is None or now - first[0] < EVERY_S:
            return {}
        at, before = short or first
        return {
            gateway: _pace(found - before.get(gateway, Traffic()), now - at, found - first[1].get(gateway, Traffic()))
            for gateway, found in traffic.items()
        }


def _pace(short: Traffic, took_s: float, long: Traffic) -> Pace:
    submitted = sum(long[f"{SUBMISSIONS}:{each}"] for each in RESULTS)
    return Pace(
        short[PARTS] / took_s,
        long[f"{SUBMISSIONS}:{THROTTLED}"] / submitted if submitted else None,
        histogram(RECEIPT_S, long).quantile(0.95),
    )
