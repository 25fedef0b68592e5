"""Rows of `campaigns`, and what needs them together with their shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from app.domain.campaign import ShardState, State
from app.domain.sharding import IdRange
from app.store.tables import campaigns, shards


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign as it is stored."""

    id: int
    name: str
    template: str
    state: State
    reason: str
    """Why it failed, for a person; '' otherwise."""
    created_at: datetime
    finished_at: datetime | None


def _from_row(row: Row[tuple[object, ...]]) -> Campaign:
    fields = dict(row._mapping)
    return Campaign(**{**fields, "state": State(fields["state"])})


def find(connection: Connection, name: str) -> Campaign | None:
    """The campaign of this name."""
    row = connection.execute(sa.select(campaigns).where(campaigns.c.name == name)).first()
    return _from_row(row) if row else None


def get(connection: Connection, campaign_id: int) -> Campaign:
    """The campaign with this id."""
    return _from_row(connection.execute(sa.select(campaigns).where(campaigns.c.id == campaign_id)).one())


def newest_first(connection: Connection) -> list[Campaign]:
    """Every campaign."""
    return [_from_row(row) for row in connection.execute(sa.select(campaigns).order_by(campaigns.c.id.desc()))]


def insert(connection: Connection, name: str, template: str, ranges: Sequence[IdRange]) -> None:
    """A new campaign with its shards; one without shards is finished. Raises IntegrityError when the name is taken."""
    now = datetime.now(UTC)
    state = State.RUNNING if ranges else State.FINISHED
    made = connection.execute(
        campaigns.insert().values(
            name=name,
            template=template,
            state=state,
            reason="",
            created_at=now,
            finished_at=None if ranges else now,
        )
    )
    if not ranges:
        return
    campaign_id = made.lastrowid
    nothing_yet = dict.fromkeys(
        ("sent", "male", "female", "unknown", "rejected", "log_bytes", "work_ms", "lease_until_ms"), 0
    )
    connection.execute(
        shards.insert(),
        [
            {
                "campaign_id": campaign_id,
                "number": each.number,
                "after_id": each.after_id,
                "to_id": each.to_id,
                "state": ShardState.OPEN,
                "last_id": each.after_id,
                "owner": "",
                **nothing_yet,
            }
            for each in ranges
        ],
    )


def finish_if_complete(connection: Connection, campaign_id: int) -> bool:
    """Running becomes finished when no shard is open; whether it did so now."""
    still_open = sa.exists().where(shards.c.campaign_id == campaign_id, shards.c.state != ShardState.FINISHED)
    changed = connection.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id, campaigns.c.state == State.RUNNING, ~still_open)
        .values(state=State.FINISHED, finished_at=datetime.now(UTC))
    )
    return changed.rowcount == 1


def fail(connection: Connection, campaign_id: int, reason: str) -> bool:
    """Running becomes failed, for a reason of at most 500 characters; whether it did so now."""
    changed = connection.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id, campaigns.c.state == State.RUNNING)
        .values(state=State.FAILED, reason=reason[:500])
    )
    return changed.rowcount == 1
