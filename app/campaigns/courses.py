"""The courses of campaigns from their samples, of which those that are known are not read again each time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from app.store import samples
from app.store.samples import Sample

WHOLE_EVERY_S = 60.0
"""So often all are read anew, for older ones are thinned out."""
KEPT = 50
"""Campaigns; a course has some 2,000 samples at most."""


@dataclass(frozen=True, slots=True)
class _Known:
    found: list[Sample]
    whole_again_at: float


class Courses:
    """Remembers what it read. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[int, _Known] = {}

    def of(self, connection: Connection, campaign_id: int) -> list[Sample]:
        """All samples of a campaign, oldest first."""
        known = self._known.pop(campaign_id, None)
        if known is None or self._clock() >= known.whole_again_at:
            known = _Known(samples.of_campaign(connection, campaign_id), self._clock() + WHOLE_EVERY_S)
        else:
            last_s = known.found[-1].at_s if known.found else -1
            more = samples.of_campaign(connection, campaign_id, after_s=last_s)
            known = _Known(known.found + more, known.whole_again_at)
        self._known[campaign_id] = known
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return known.found
