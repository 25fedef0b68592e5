"""What became of the messages to one number or customer, over all campaigns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.audit.ledger_rows import Row, of_message
from app.audit.whereabouts import elsewhere, end_here, place_of, read_here
from app.campaigns.snapshot import Snapshot
from app.domain.audience import CUSTOMERS
from app.domain.campaign import LOG
from app.domain.delivery import Delivery
from app.domain.reject import Reason
from app.gateways.log_file.folder import log_path
from app.gateways.log_file.reader import LogReader
from app.store import campaigns, customers, intents, log_parts, messages, rejects, shards
from app.store.campaigns import Campaign
from app.store.tables import campaigns as campaigns_table
from app.store.tables import intents as intents_table
from app.store.tables import messages as ledger
from app.store.tables import shards as shards_table

_OF_MESSAGE = sa.select(ledger.c.campaign_id, ledger.c.customer_id)


@dataclass(frozen=True, slots=True)
class Found:
    """One campaign in which there is something: a row of the ledger, a reject, or lines of a log."""

    campaign: Campaign
    row: Row | None = None
    reject: Reason | None = None
    lines: int = 0


def mobile_of(database: Engine, audience: str, customer_id: int) -> str | None:
    """The number that a customer has now, as it stands in the table."""
    with database.connect() as connection:
        found = customers.some(connection, audience, [customer_id])
    return found[0][1] if found else None


def in_ledgers(
    database: Engine, *, mobile: int | None, customer_id: int | None, audience: str = CUSTOMERS
) -> list[Found]:
    """By customer in campaigns to this audience, in others by the number that a message went to, for there the id is
    somebody else's; without a customer by the number in all. The newest campaign first; by index. Who is rejected is
    known by customer alone."""
    with database.connect() as connection:
        every = {each.id: each for each in campaigns.newest_first(connection)}
        to_audience = [] if customer_id is None else [each.id for each in every.values() if each.audience == audience]
        # With the campaign, for the primary key begins with it.
        by_id = sa.and_(ledger.c.campaign_id.in_(to_audience), ledger.c.customer_id == customer_id)
        by_number = sa.and_(ledger.c.campaign_id.not_in(to_audience), ledger.c.mobile == mobile)
        theirs = [_OF_MESSAGE.where(each) for each in (by_id, by_number)]
        found_by = [row for query in theirs for row in connection.execute(query)]
        found = [
            Found(every[campaign_id], of_message(message))
            for campaign_id, its_id in found_by
            for message in messages.of_customers(connection, campaign_id, [its_id])
        ]
        found += _intended(connection, every, mobile, customer_id, audience)
        if customer_id is not None:
            found += [
                Found(campaign, reject=each.reason)
                for campaign in map(every.__getitem__, to_audience)
                for each in rejects.between(connection, campaign.id, None, customer_id - 1, customer_id)
            ]
    return sorted(found, key=lambda each: each.campaign.id, reverse=True)


def one(database: Engine, campaign_id: int, customer_id: int) -> Found | None:
    """The message to one customer of one campaign to a network, if there is one."""
    with database.connect() as connection:  # one transaction: who is not in the one table is in the other
        if (campaign := campaigns.get(connection, campaign_id)) is None:
            return None
        rows = [of_message(each) for each in messages.of_customers(connection, campaign_id, [customer_id])]
        query = sa.select(intents_table.c.shard).where(intents_table.c.campaign_id == campaign_id).distinct()
        for shard in connection.scalars(query).all() if not rows else ():
            for _, entries in intents.entries(connection, campaign_id, shard, Delivery.SUBMITTING):
                rows += [
                    Row(each.customer_id, each.mobile, each.parts, each.state)
                    for each in entries
                    if each.customer_id == customer_id
                ]
    return Found(campaign, rows[0]) if rows else None


def _intended(
    connection: Connection, every: dict[int, Campaign], mobile: int | None, customer_id: int | None, audience: str
) -> Iterator[Found]:
    """Two chunks at most of each shard that somebody has."""
    query = sa.select(intents_table.c.campaign_id, intents_table.c.shard).distinct()
    for campaign_id, shard in connection.execute(query).all():
        for _, entries in intents.entries(connection, campaign_id, shard, Delivery.SUBMITTING):
            for each in entries:
                by_id = customer_id is not None and every[campaign_id].audience == audience
                if each.customer_id == customer_id if by_id else each.mobile == mobile:
                    row = Row(each.customer_id, each.mobile, each.parts, each.state)
                    yield Found(every[campaign_id], row)


def logs_size(database: Engine) -> int:
    """Bytes of all logs that are on record: what `in_logs` reads, where they lie here."""
    with database.connect() as connection:
        query = sa.select(sa.func.coalesce(sa.func.sum(shards_table.c.log_bytes), 0))
        query = query.join(campaigns_table, campaigns_table.c.id == shards_table.c.campaign_id)
        return int(connection.execute(query.where(campaigns_table.c.pruned_at.is_(None))).scalar_one())


def pruned(database: Engine) -> list[str]:
    """Campaigns of which nothing is found any more, newest first."""
    with database.connect() as connection:
        return [each.name for each in campaigns.newest_first(connection) if each.pruned_at]


def in_logs(database: Engine, log_dir: Path, mobile: str) -> Iterator[Found]:
    """Campaigns in whose logs, as far as they are on record, lines show this number; every byte is read. Raises
    LogUnusable."""
    wanted, place = mobile.encode(), place_of(database, log_dir)
    for now in _with_logs(database):
        campaign, lines = now.campaign, 0
        for shard in now.shards:
            end = end_here(read_here(place, campaign.name, shard, now.parts[shard.number]))
            for position, line in LogReader(log_path(log_dir, campaign.name, shard.number)).lines(0):
                if position >= end:
                    break
                lines += wanted in line
        if lines:
            yield Found(campaign, lines=lines)


def not_read(database: Engine, log_dir: Path) -> list[str]:
    """Campaigns some of whose messages lie in other folders, newest first."""
    place = place_of(database, log_dir)
    return [now.campaign.name for now in _with_logs(database) if elsewhere(place, now)]


def _with_logs(database: Engine) -> Iterator[Snapshot]:
    with database.connect() as connection:
        every = [each for each in campaigns.newest_first(connection) if each.gateway == LOG and not each.pruned_at]
    for campaign in every:
        with database.connect() as connection:
            its_shards = shards.of_campaign(connection, campaign.id)
            yield Snapshot(campaign, None, None, its_shards, log_parts.of_shards(connection, its_shards))
