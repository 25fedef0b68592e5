"""Sends one shard: page by page, each one delivered before the database hears of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine

from app.domain.greeting import Customer, compile_template
from app.errors import LogDamaged, LogUnusable, ShardTaken
from app.gateways.gateway import Gateway
from app.gateways.log_file import LogFile
from app.protocol import ShardProgress
from app.store import campaigns, customers, shards
from app.store.campaigns import Campaign
from app.store.database import writing
from app.store.shards import Shard, Step

PAGE_ROWS = 10_000
"""Customers per page: 800 KB of messages, a tenth of a second, one checkpoint. Half of it costs a third more time."""


class Outcome(StrEnum):
    """How a task for a shard ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # told to; the rest is for whoever starts next
    TAKEN = "taken"  # somebody else is at it, or it is not to be sent
    FAILED = "failed"  # a person must act; the campaign says why
    BLOCKED = "blocked"  # the log cannot be written now, as on a full disk; to be tried again


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """What a task carries: which shard to send."""

    campaign_id: int
    number: int


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a task gives back."""

    order: ShardOrder
    outcome: Outcome
    reason: str = ""
    """Why it is blocked, for a person."""


def send_shard(
    database: Engine,
    log_dir: Path,
    order: ShardOrder,
    *,
    should_stop: Callable[[], bool],
    on_progress: Callable[[ShardProgress], None],
) -> ShardReport:
    """Take the shard up where the last one left it, and send the rest. Raises what the database raises;
    whatever happens, the next call continues exactly where the last checkpoint was."""
    with database.connect() as connection:
        campaign = campaigns.get(connection, order.campaign_id)
    try:
        gateway = LogFile(log_dir, campaign.name, order.number)
    except ShardTaken:
        return ShardReport(order, Outcome.TAKEN)
    except LogUnusable as error:
        return ShardReport(order, Outcome.BLOCKED, str(error))
    try:
        with writing(database) as connection:
            shard = shards.claim(connection, order.campaign_id, order.number, gateway.owner)
        gateway.return_to(shard.log_bytes)
        complete = _send(database, gateway, campaign, shard, should_stop, on_progress)
        return ShardReport(order, Outcome.COMPLETE if complete else Outcome.STOPPED)
    except ShardTaken:
        return ShardReport(order, Outcome.TAKEN)
    except LogDamaged as error:
        with writing(database) as connection:
            campaigns.fail(connection, order.campaign_id, str(error))
        return ShardReport(order, Outcome.FAILED)
    except LogUnusable as error:
        return ShardReport(order, Outcome.BLOCKED, str(error))
    finally:
        gateway.close()


def _send(
    database: Engine,
    gateway: Gateway,
    campaign: Campaign,
    shard: Shard,
    should_stop: Callable[[], bool],
    on_progress: Callable[[ShardProgress], None],
) -> bool:
    """Pages until the end of the shard, or until told to stop; whether the end was reached."""
    render = compile_template(campaign.template)
    last_id, sent, position = shard.last_id, shard.sent, shard.log_bytes
    while last_id < shard.to_id:
        if should_stop():
            return False
        began = time.monotonic()
        with database.connect() as connection:
            page = customers.page(connection, last_id, shard.to_id, PAGE_ROWS)
        last_id = page[-1][0] if len(page) == PAGE_ROWS else shard.to_id
        if page:
            position = gateway.deliver(render(page))
        sent += len(page)
        step = _step(page, last_id, position, round((time.monotonic() - began) * 1000))
        with writing(database) as connection:
            shards.checkpoint(connection, shard.campaign_id, shard.number, gateway.owner, step)
        on_progress(ShardProgress(shard.number, shard.after_id, shard.to_id, last_id, sent, False))
    return True


def _step(page: list[Customer], last_id: int, log_bytes: int, work_ms: int) -> Step:
    genders = [gender for _, _, _, gender in page]
    female, unknown = genders.count(0), genders.count(None)
    return Step(
        last_id=last_id,
        log_bytes=log_bytes,
        sent=len(page),
        male=len(page) - female - unknown,
        female=female,
        unknown=unknown,
        work_ms=work_ms,
    )
