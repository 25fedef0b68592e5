"""Rows of `progress_samples`: how far campaigns were while they ran."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.store.database import insert_new
from app.store.tables import progress_samples as samples


@dataclass(frozen=True, slots=True)
class Sample:
    """One; see app/store/tables.py."""

    campaign_id: int
    at_s: int
    done_ids: int
    sent: int
    rejected: int
    delivered: int
    moved_at_s: int

    @property
    def _standing(self) -> tuple[int, ...]:
        return self.done_ids, self.sent, self.rejected, self.delivered

    def is_as_far_as(self, other: "Sample") -> bool:
        """Whether nothing happened between the two."""
        return self._standing == other._standing


def insert(connection: Connection, found: Sequence[Sample]) -> None:
    """Of a moment that has its sample, as by another server, that one stays."""
    for each in found:
        insert_new(connection, samples, **asdict(each))


def latest(connection: Connection, campaign_ids: Collection[int]) -> dict[int, Sample]:
    """The last one of each of these campaigns that has any, by the primary key."""
    last = sa.select(samples.c.campaign_id, sa.func.max(samples.c.at_s).label("at_s"))
    last_of = last.where(samples.c.campaign_id.in_(sorted(campaign_ids))).group_by(samples.c.campaign_id).subquery()
    is_last = sa.and_(samples.c.campaign_id == last_of.c.campaign_id, samples.c.at_s == last_of.c.at_s)
    rows = connection.execute(sa.select(samples).join(last_of, is_last))
    return {row.campaign_id: Sample(**row._mapping) for row in rows}


def of_campaign(connection: Connection, campaign_id: int, after_s: int = -1) -> list[Sample]:
    """Those of one after a moment, or all, oldest first."""
    query = sa.select(samples).where(samples.c.campaign_id == campaign_id, samples.c.at_s > after_s)
    return [Sample(**row._mapping) for row in connection.execute(query.order_by(samples.c.at_s))]


def first_at_s(connection: Connection, from_s: int, to_s: int) -> int | None:
    """The moment of the oldest one with `from_s <= at_s < to_s`, by the index of the moment."""
    at_s = samples.c.at_s
    return connection.execute(sa.select(at_s).where(at_s >= from_s, at_s < to_s).order_by(at_s).limit(1)).scalar()


def thin_out(connection: Connection, from_s: int, to_s: int, every_s: int) -> None:
    """Of those with `from_s <= at_s < to_s` keep what is at a multiple of `every_s`; by the index of the moment."""
    between = sa.and_(samples.c.at_s >= from_s, samples.c.at_s < to_s)
    connection.execute(samples.delete().where(between, samples.c.at_s % every_s != 0))
