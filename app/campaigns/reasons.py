"""Why customers of a campaign got nothing: how many are rejected for which reason, the commonest errors of a gateway.

Both are counted row by row, which takes seconds where there are millions; so what was counted is kept while the shards'
own counts say that nothing was added, and counted again only after a pause that is long beside what counting takes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from app.campaigns.shown import Shown
from app.domain.reject import Reason
from app.domain.tally import Tally
from app.store import messages, rejects

LEAST_PAUSE_S = 5.0
PAUSE_FACTOR = 30.0
"""So much longer than it took the pause is at least: of the database's time we take 3%."""
MOST_ERRORS = 8
KEPT = 200
"""Campaigns."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Of one campaign, the commonest first."""

    rejects: list[tuple[Reason, int]]
    errors: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Counted:
    reasons: Reasons
    of: tuple[int, ...]
    again_at: float


class CountedReasons:
    """Remembers what it counted. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted: dict[int, _Counted] = {}

    def of(self, connection: Connection, shown: Shown) -> Reasons:
        """Those of a campaign, a moment old where it gets on."""
        campaign_id, standing = shown.campaign.id, _standing(shown.tally)
        before = self._counted.get(campaign_id)
        if before and (before.of == standing or self._clock() < before.again_at):
            return before.reasons
        begun = self._clock()
        counts = rejects.count_all(connection, campaign_id) if shown.tally.rejected else {}
        errors = (
            messages.commonest_errors(connection, campaign_id, MOST_ERRORS) if _may_have_errors(shown.tally) else []
        )
        reasons = Reasons(sorted(counts.items(), key=lambda each: -each[1]), errors)
        pause_s = max(LEAST_PAUSE_S, PAUSE_FACTOR * (self._clock() - begun))
        self._counted.pop(campaign_id, None)
        self._counted[campaign_id] = _Counted(reasons, standing, self._clock() + pause_s)
        while len(self._counted) > KEPT:
            del self._counted[next(iter(self._counted))]
        return reasons


def _standing(tally: Tally) -> tuple[int, ...]:
    return tally.rejected, tally.undelivered, tally.expired, tally.refused, tally.unknown, tally.retry


def _may_have_errors(tally: Tally) -> bool:
    return bool(tally.undelivered or tally.expired or tally.refused or tally.unknown or tally.retry)
