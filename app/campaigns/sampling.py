"""Notes from time to time how far the campaigns that run have got; older notes are thinned out.

A sample has the moment that it is for as its key, so two servers do no harm, and one that is killed leaves a gap.
"""

from dataclasses import replace
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.store import campaigns, samples, shard_sums
from app.store.clock import now_ms
from app.store.faults import write
from app.store.samples import Sample

SAMPLE_EVERY_S = 10
UNSEEN_S = 60
"""Whoever has had no sample for longer did not run meanwhile, or nobody looked."""
THINNED_OUT = ((3_600, 60), (86_400, 600))
"""After so long one in so many seconds is kept: of a day of sending some 1,800 rows, of each further one 144."""

THINNED_AT_ONCE_S = 3_600
"""So long a time is thinned out in one transaction."""
MOST_AT_ONCE = 24
"""Transactions with which one who has just begun catches up, each time."""


class Sampler:
    """For one process: it remembers what it has thinned out."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._thinned_to = dict.fromkeys(THINNED_OUT, 0)

    def sample(self) -> None:
        """One of every campaign that runs, over a gateway that is not drained. Raises what the database raises."""
        with self._database.connect() as connection:
            at_s = _now_s(connection) // SAMPLE_EVERY_S * SAMPLE_EVERY_S
            found = _look(connection, at_s)
        if found:
            write(self._database, partial(samples.insert, found=found))
        for step in THINNED_OUT:
            self._thin_out(step, at_s)

    def _thin_out(self, step: tuple[int, int], at_s: int) -> None:
        after_s, every_s = step
        to_s = (at_s - after_s) // every_s * every_s
        for _ in range(MOST_AT_ONCE):
            from_s = self._thinned_to[step]
            if from_s >= to_s:
                return
            with self._database.connect() as connection:
                first_s = samples.first_at_s(connection, from_s, to_s)
            if first_s is not None:
                end_s = min(first_s // every_s * every_s + THINNED_AT_ONCE_S, to_s)
                write(self._database, partial(samples.thin_out, from_s=first_s, to_s=end_s, every_s=every_s))
            self._thinned_to[step] = to_s if first_s is None else end_s


def _now_s(connection: Connection) -> int:
    return int(connection.execute(sa.select(now_ms(connection))).scalar_one()) // 1000


def _look(connection: Connection, at_s: int) -> list[Sample]:
    ids = campaigns.to_get_on(connection)
    if not ids:
        return []
    before = samples.latest(connection, ids)
    return [
        moved(before.get(campaign_id), Sample(campaign_id, at_s, **_standing(sums), moved_at_s=at_s))
        for campaign_id, sums in shard_sums.of_campaigns(connection, ids).items()
    ]


def _standing(sums: shard_sums.Sums) -> dict[str, int]:
    tally = sums.tally
    return {
        "done_ids": sums.done_ids,
        "sent": tally.shown_as_sent,
        "rejected": tally.rejected,
        "delivered": tally.delivered,
    }


def moved(before: Sample | None, now: Sample) -> Sample:
    """The sample with the moment since when it has run and nothing has changed. Pure."""
    if before is None or now.at_s - before.at_s > UNSEEN_S or not now.is_as_far_as(before):
        return now
    return replace(now, moved_at_s=before.moved_at_s)
