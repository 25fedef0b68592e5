"""Reads the customers of a shard in pages: everybody in a range of ids, or those on a list: of whom the campaign is for
some alone, and in a late shard."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from app.domain.people import People
from app.store import chosen, customers, late
from app.store.campaigns import Campaign
from app.store.customers import Pages
from app.store.shards import Shard


class ShardPages(Protocol):
    """What the others read a shard by."""

    def after(self, connection: Connection, last_id: int) -> tuple[People, int]:
        """The next ones after this id, and the id up to which they are everybody."""


def pages_of(
    connection: Connection, campaign: Campaign, shard: Shard, to_id: int, limit: int, columns: Sequence[str]
) -> ShardPages:
    """The shard's pages up to `to_id`, of at most `limit`; a customer is in one shard of a campaign at most."""
    if shard.late:
        ids = late.of_shard(connection, shard.campaign_id, shard.number).ids
        return _Listed(campaign.audience, ids, to_id, limit, columns)
    pages: ShardPages = Pages(campaign.audience, to_id, limit, columns)
    if campaign.chosen:
        theirs = chosen.between(connection, campaign.id, shard.after_id, to_id)
        pages = _Listed(campaign.audience, theirs, to_id, limit, columns)
    late_ids = late.of_campaign(connection, shard.campaign_id).ids
    return _Without(pages, late_ids) if late_ids else pages


class _Listed:
    """Those of these ids who are there."""

    def __init__(self, audience: str, ids: Sequence[int], to_id: int, limit: int, columns: Sequence[str]) -> None:
        self._audience = audience
        self._ids = ids
        self._to_id = to_id
        self._limit = limit
        self._columns = columns

    def after(self, connection: Connection, last_id: int) -> tuple[People, int]:
        place = bisect_right(self._ids, last_id)
        asked = self._ids[place : place + self._limit]
        asked = asked[: bisect_right(asked, self._to_id)]
        reached = asked[-1] if len(asked) == self._limit else self._to_id
        return customers.listed(connection, self._audience, asked, self._columns), reached


class _Without:
    """Everybody on the pages but these, who are in another shard."""

    def __init__(self, pages: ShardPages, ids: Sequence[int]) -> None:
        self._pages = pages
        self._ids = ids

    def after(self, connection: Connection, last_id: int) -> tuple[People, int]:
        people, reached = self._pages.after(connection, last_id)
        absent = {*self._ids[bisect_right(self._ids, last_id) : bisect_right(self._ids, reached)]}
        if not absent:
            return people, reached
        return people.without([place for place, number in enumerate(people.ids) if number in absent]), reached
