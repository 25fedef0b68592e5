"""Finds out how far a suspect log is right, and lets its shard go on from there."""

import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, Engine

from app.domain.greeting import compile_template
from app.domain.page import Page, prepare
from app.domain.people import People
from app.gateways.gateway import Gateway
from app.store import rejects, shards
from app.store.campaigns import Campaign
from app.store.customers import Pages
from app.store.faults import write
from app.store.shards import Shard, Standing

log = logging.getLogger(__name__)


def repair(
    database: Engine,
    gateway: Gateway,
    campaign: Campaign,
    shard: Shard,
    *,
    page_rows: int,
    should_stop: Callable[[], bool],
) -> bool:
    """Compare the log with the database from its beginning, keep the longest run of whole right lines, cut off the
    rest, and put the shard there; False when told to stop before. Until the end nothing is changed.

    Whoever is not in what is kept is looked at again, so afterwards everybody stands in the log once. A page of
    customers is in memory at a time. Raises LeaseLost, LogUnusable, LogDamaged and what the database raises.
    """
    of = (shard.campaign_id, shard.number, gateway.owner)
    comparison = _Comparison(database, gateway, campaign, shard, page_rows)
    while comparison.goes_on:
        if should_stop():
            return False
        write(database, lambda connection: shards.renew(connection, *of))
        comparison.next_page()
    standing = comparison.standing
    gateway.return_to(standing.log_bytes)

    def record(connection: Connection) -> None:
        rejects.remove(connection, campaign.id, standing.last_id, shard.to_id)
        rejected = rejects.count(connection, campaign.id, shard.after_id, shard.to_id).total()
        shards.settle(connection, *of, replace(standing, rejected=rejected))

    write(database, record)
    log.warning(
        "suspect log compared, its shard goes on",
        extra={
            "campaign_id": campaign.id,
            "shard": shard.number,
            "recorded_bytes": shard.log_bytes,
            "kept_bytes": standing.log_bytes,
        },
    )
    return True


class _Comparison:
    """How far a log is right. Ends at the first line that is not, or where the record ends."""

    def __init__(self, database: Engine, gateway: Gateway, campaign: Campaign, shard: Shard, page_rows: int) -> None:
        self._database = database
        self._gateway = gateway
        self._template = compile_template(campaign.template, None)
        self._shard = shard
        self._pages = Pages(shard.last_id, page_rows, self._template.columns)
        self._is_right = True
        self.standing = Standing(shard.after_id, 0, 0, 0, 0, 0, 0)

    @property
    def goes_on(self) -> bool:
        return self._is_right and self.standing.last_id < self._shard.last_id

    def next_page(self) -> None:
        shard, standing = self._shard, self.standing
        with self._database.connect() as connection:
            people, reached = self._pages.after(connection, standing.last_id)
            # Who was rejected then has no line, whatever is known of him now.
            found = rejects.between(connection, shard.campaign_id, standing.last_id, reached)
        rejected = {each.customer_id for each in found}

        def page_of(some: People) -> Page:
            return prepare(self._template, some, rejected)

        page = page_of(people)
        there = self._gateway.delivered(standing.log_bytes, len(page.text.encode()))
        if there != page.text.encode():
            self._is_right = False
            right = bisect_left(
                range(1, len(people) + 1),
                True,
                key=lambda count: not there.startswith(page_of(people.first(count)).text.encode()),
            )
            if not right:
                return
            page, reached = page_of(people.first(right)), people.ids[right - 1]
        self.standing = replace(
            standing,
            last_id=reached,
            log_bytes=standing.log_bytes + len(page.text.encode()),
            sent=standing.sent + page.sent,
            male=standing.male + page.male,
            female=standing.female + page.female,
            unknown=standing.unknown + page.unknown,
        )
