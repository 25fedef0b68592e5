"""The shards of campaigns, added up by the database: what a list of campaigns shows takes a row for each of them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.domain.campaign import ShardState
from app.domain.tally import Tally
from app.store.clock import now_ms
from app.store.shards import COUNTS
from app.store.tables import shards


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the shards of one campaign. `messages_per_s` and `ids_per_s` are what the tasks under way do together, each
    over the time it worked so far."""

    count: int = 0
    open: int = 0
    suspect: int = 0
    held: int = 0
    """At which somebody is, as long as they say so."""
    done_ids: int = 0
    all_ids: int = 0
    tally: Tally = field(default_factory=Tally)
    messages_per_s: float = 0.0
    ids_per_s: float = 0.0

    @property
    def finished(self) -> int:
        return self.count - self.open - self.suspect


def of_campaigns(connection: Connection, ids: Collection[int]) -> dict[int, Sums]:
    """By campaign; one without shards has zeros."""
    if not ids:
        return {}
    query = sa.select(shards.c.campaign_id, *(what.label(name) for name, what in _columns(connection).items()))
    query = query.where(shards.c.campaign_id.in_(sorted(ids))).group_by(shards.c.campaign_id)
    return dict.fromkeys(ids, Sums()) | {row.campaign_id: _from_row(row._asdict()) for row in connection.execute(query)}


def _from_row(row: dict[str, Any]) -> Sums:
    audience = int(row["audience"]) if row["counted"] == row["count"] else None
    counts = {each: int(row[each]) for each in COUNTS}  # MySQL adds up to decimals
    return Sums(
        count=row["count"],
        open=int(row["open"]),
        suspect=int(row["suspect"]),
        held=int(row["held"]),
        done_ids=int(row["done_ids"]),
        all_ids=int(row["all_ids"]),
        tally=Tally(**counts, gone=int(row["gone"]), audience=audience),
        messages_per_s=float(row["messages_per_s"]),
        ids_per_s=float(row["ids_per_s"]),
    )


def _columns(connection: Connection) -> dict[str, ColumnElement[Any]]:
    done = shards.c.last_id - shards.c.after_id
    is_open, is_finished = shards.c.state == ShardState.OPEN, shards.c.state == ShardState.FINISHED
    is_held = shards.c.lease_until_ms >= now_ms(connection)
    under_way = sa.and_(is_open, shards.c.owner != "", is_held, shards.c.work_ms > 0)
    gone = shards.c.audience - shards.c.sent - shards.c.rejected
    return {
        "count": sa.func.count(),
        "counted": sa.func.count(shards.c.audience),
        "open": _sum(1, is_open),
        "suspect": _sum(1, shards.c.state == ShardState.SUSPECT),
        "held": _sum(1, sa.and_(is_held, sa.not_(is_finished))),
        "done_ids": sa.func.sum(done),
        "all_ids": sa.func.sum(shards.c.to_id - shards.c.after_id),
        "audience": sa.func.coalesce(sa.func.sum(shards.c.audience), 0),
        "gone": _sum(gone, sa.and_(is_finished, shards.c.audience.is_not(None))),
        "messages_per_s": _sum(shards.c.sent * 1000.0 / shards.c.work_ms, under_way),
        "ids_per_s": _sum(done * 1000.0 / shards.c.work_ms, under_way),
        **{name: sa.func.sum(column) for name, column in COUNTS.items()},
    }


def _sum(what: ColumnElement[Any] | int, where: ColumnElement[bool]) -> ColumnElement[Any]:
    return sa.func.sum(sa.case((where, what), else_=0))
