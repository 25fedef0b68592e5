"""Rows of `shards`: who works on which, and how far it got."""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.domain.campaign import ShardState, State
from app.errors import LeaseLost, ShardTaken
from app.store.tables import campaigns, shards

LEASE_S = 30.0
"""How long a shard stays its owner's after the last checkpoint, should the owner vanish with its machine."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as it is stored; see app/store/tables.py."""

    campaign_id: int
    number: int
    after_id: int
    to_id: int
    state: ShardState
    last_id: int
    sent: int
    male: int
    female: int
    unknown: int
    rejected: int
    audience: int | None
    log_bytes: int
    work_ms: int
    owner: str
    lease_until_ms: int

    @property
    def gone(self) -> int:
        """How many were there at the trigger and no more when their turn came; 0 until the shard is finished."""
        if self.state is not ShardState.FINISHED or self.audience is None:
            return 0
        return self.audience - self.sent - self.rejected


@dataclass(frozen=True, slots=True)
class Step:
    """What one page adds to a shard; `last_id` and `log_bytes` are where it stands after it."""

    last_id: int
    log_bytes: int
    sent: int
    male: int
    female: int
    unknown: int
    rejected: int
    work_ms: int


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _is(campaign_id: int, number: int) -> ColumnElement[bool]:
    return sa.and_(shards.c.campaign_id == campaign_id, shards.c.number == number)


def _may_be_taken_by(owner: str) -> ColumnElement[bool]:
    """Nobody's, our own place's, or somebody's who has been silent for too long."""
    return shards.c.owner.in_(["", owner]) | (shards.c.lease_until_ms < _now_ms())


def of_campaign(connection: Connection, campaign_id: int) -> list[Shard]:
    """A campaign's shards, in order."""
    rows = connection.execute(sa.select(shards).where(shards.c.campaign_id == campaign_id).order_by(shards.c.number))
    return [Shard(**{**row._mapping, "state": ShardState(row.state)}) for row in rows]


def waiting(connection: Connection, owner: str) -> list[tuple[int, int]]:
    """Campaign id and number of every open shard of a running campaign that `owner` may take, oldest first."""
    rows = connection.execute(
        sa.select(shards.c.campaign_id, shards.c.number)
        .join(campaigns, campaigns.c.id == shards.c.campaign_id)
        .where(campaigns.c.state == State.RUNNING, shards.c.state == ShardState.OPEN, _may_be_taken_by(owner))
        .order_by(shards.c.campaign_id, shards.c.number)
    )
    return [(row.campaign_id, row.number) for row in rows]


def uncounted(connection: Connection) -> list[Shard]:
    """Every open shard of which nobody knows how many customers it had."""
    rows = connection.execute(
        sa.select(shards)
        .where(shards.c.audience.is_(None), shards.c.state == ShardState.OPEN)
        .order_by(shards.c.campaign_id, shards.c.number)
    )
    return [Shard(**{**row._mapping, "state": ShardState(row.state)}) for row in rows]


def note_audience(connection: Connection, shard: Shard, audience: int) -> None:
    """How many customers the shard had; the first one to say so is right."""
    connection.execute(
        shards.update()
        .where(_is(shard.campaign_id, shard.number), shards.c.audience.is_(None))
        .values(audience=audience)
    )


def claim(connection: Connection, campaign_id: int, number: int, owner: str) -> Shard:
    """Make the shard `owner`'s, by compare-and-set. The caller holds the lock of its log. Raises ShardTaken."""
    running = sa.exists().where(campaigns.c.id == campaign_id, campaigns.c.state == State.RUNNING)
    changed = connection.execute(
        shards.update()
        .where(_is(campaign_id, number), shards.c.state == ShardState.OPEN, _may_be_taken_by(owner), running)
        .values(owner=owner, lease_until_ms=_now_ms() + int(LEASE_S * 1000))
    )
    if changed.rowcount != 1:
        raise ShardTaken(f"shard {number} of campaign {campaign_id} is taken, finished or not running")
    row = connection.execute(sa.select(shards).where(_is(campaign_id, number))).one()
    return Shard(**{**row._mapping, "state": ShardState(row.state)})


def checkpoint(connection: Connection, campaign_id: int, number: int, owner: str, step: Step) -> None:
    """Move the shard on and renew the lease. Raises LeaseLost when it is not `owner`'s any more."""
    changed = connection.execute(
        shards.update()
        .where(_is(campaign_id, number), shards.c.owner == owner, shards.c.state == ShardState.OPEN)
        .values(
            last_id=step.last_id,
            log_bytes=step.log_bytes,
            sent=shards.c.sent + step.sent,
            male=shards.c.male + step.male,
            female=shards.c.female + step.female,
            unknown=shards.c.unknown + step.unknown,
            rejected=shards.c.rejected + step.rejected,
            work_ms=shards.c.work_ms + step.work_ms,
            lease_until_ms=_now_ms() + int(LEASE_S * 1000),
        )
    )
    if changed.rowcount != 1:
        raise LeaseLost(f"shard {number} of campaign {campaign_id} is not ours any more")


def finish(connection: Connection, campaign_id: int, number: int) -> bool:
    """Close a shard whose every id is done; whether it is closed now.

    Its audience is at least those who were met: some may have come between its ids after they were counted.
    """
    met = shards.c.sent + shards.c.rejected
    audience = sa.case((shards.c.audience > met, shards.c.audience), else_=met)
    connection.execute(
        shards.update()
        .where(_is(campaign_id, number), shards.c.last_id == shards.c.to_id)
        .values(state=ShardState.FINISHED, owner="", lease_until_ms=0, audience=audience)
    )
    state = connection.execute(sa.select(shards.c.state).where(_is(campaign_id, number))).scalar_one()
    return bool(state == ShardState.FINISHED)
