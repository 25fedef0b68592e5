"""Campaigns a page at a time, newest first, each with the sums of its shards: what a list of them costs does not grow
with how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.campaigns.shown import Shown
from app.domain.campaign import State
from app.domain.tally import Tally
from app.store import campaigns, contacts, drains, shard_sums
from app.store.campaigns import Campaign
from app.store.shard_sums import Sums

PAGE = 50


@dataclass(frozen=True, slots=True)
class Summary(Shown):
    """A campaign and its shards, added up."""

    sums: Sums

    @property
    def tally(self) -> Tally:
        return self.sums.tally

    @property
    def done_ids(self) -> int:
        return self.sums.done_ids

    @property
    def all_ids(self) -> int:
        return self.sums.all_ids

    @property
    def pace(self) -> Sums:
        return self.sums


@dataclass(frozen=True, slots=True)
class Page:
    """Some campaigns, newest first. `older` is what to ask for `before` to see those that come next, `newer` the same
    for `after`; None where there are none."""

    campaigns: list[Summary]
    older: int | None
    newer: int | None


def page(
    connection: Connection,
    *,
    state: State | None = None,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> Page:
    """The newest, of one state or of all; those older than a cursor, or right newer than one."""
    found = campaigns.page(connection, state=state, before=before, after=after, limit=limit + 1)
    has_more = len(found) > limit
    if after is None:
        found = found[:limit]
        is_first, is_last = before is None, not has_more
    else:
        found = found[-limit:]
        is_first, is_last = not has_more, False
    return Page(
        summaries(connection, found),
        older=found[-1].id if found and not is_last else None,
        newer=found[0].id if found and not is_first else None,
    )


def summary(connection: Connection, name: str) -> Summary:
    """One campaign. Raises UnknownCampaign."""
    return summaries(connection, [campaigns.named(connection, name)])[0]


def summaries(connection: Connection, found: Sequence[Campaign]) -> list[Summary]:
    """Each of these with its sums."""
    sums = shard_sums.of_campaigns(connection, [each.id for each in found])
    drained, away = drains.every(connection), contacts.whys(connection)
    return [Summary(each, drained.get(each.gateway), away.get(each.gateway), sums[each.id]) for each in found]
