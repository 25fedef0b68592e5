"""Rows of `shards`: who works on which, and how far it got."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from app.domain.campaign import LOG, ShardState, State
from app.domain.tally import Tally
from app.errors import LeaseLost, ShardTaken
from app.store import drains
from app.store.campaigns import is_prepared
from app.store.clock import lease_until_ms, now_ms
from app.store.tables import campaigns, shards

COUNTS = {
    "sent": shards.c.sent,
    "male": shards.c.male,
    "female": shards.c.female,
    "neutral": shards.c.unknown,
    "rejected": shards.c.rejected,
    "submitting": shards.c.submitting,
    "retry": shards.c.retry,
    "accepted": shards.c.accepted,
    "delivered": shards.c.delivered,
    "undelivered": shards.c.undelivered,
    "expired": shards.c.expired,
    "refused": shards.c.refused,
    "unknown": shards.c.in_doubt,
}
"""Where what a tally counts while a shard is under way is stored."""
_MET = shards.c.sent + shards.c.rejected


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as it is stored; see app/store/tables.py."""

    campaign_id: int
    number: int
    after_id: int
    to_id: int
    state: ShardState
    last_id: int
    tally: Tally
    log_bytes: int
    work_ms: int
    owner: str
    lease_until_ms: int
    epoch: int
    intended_id: int
    due_ms: int
    late: bool
    is_held: bool
    """Whether somebody's lease was not over when this was read, by the database's clock."""

    @property
    def reached_id(self) -> int:
        """Everybody up to here is in `tally`."""
        return max(self.last_id, self.intended_id)


class Hold(NamedTuple):
    """A shard that is the folder's as long as nobody raises its epoch."""

    campaign_id: int
    number: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one page adds to a shard; `last_id` and `log_bytes` are where it stands after it."""

    last_id: int
    log_bytes: int
    tally: Tally
    work_ms: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a log really got, in all."""

    last_id: int
    log_bytes: int
    tally: Tally


def added(tally: Tally) -> dict[str, ColumnElement[int]]:
    """What a shard's counts become with these."""
    return {column.name: column + by for each, column in COUNTS.items() if (by := getattr(tally, each))}


def is_shard(campaign_id: int | ColumnElement[int], number: int | ColumnElement[int]) -> ColumnElement[bool]:
    """The row of this shard."""
    return sa.and_(shards.c.campaign_id == campaign_id, shards.c.number == number)


def runs(*also: ColumnElement[bool]) -> ColumnElement[bool]:
    """The campaign does, it is prepared, and `also` this holds of it. Inside an UPDATE this waits for whoever is just
    changing that, or makes them wait, so that nothing is recorded for a campaign once its pause is committed."""
    is_it = campaigns.c.id == shards.c.campaign_id
    return sa.exists().where(is_it, campaigns.c.state == State.RUNNING, is_prepared(), *also)


def _is_unfinished() -> ColumnElement[bool]:
    """Said so that the index finds the few among all that were ever sent."""
    return shards.c.state.in_([ShardState.OPEN, ShardState.SUSPECT])


def _may_be_taken_by(connection: Connection, owner: str) -> ColumnElement[bool]:
    """Nobody's, our own folder's, or that of one that is silent: what it wrote and is not on record counts for nothing.
    A log that is to be compared first is left to who has it."""
    is_silent = sa.and_(shards.c.state == ShardState.OPEN, shards.c.lease_until_ms < now_ms(connection))
    return shards.c.owner.in_(["", owner]) | is_silent


def _rows(connection: Connection) -> sa.Select[Any]:
    is_held = sa.case((shards.c.lease_until_ms >= now_ms(connection), 1), else_=0)
    return sa.select(shards, is_held.label("is_held"))


def _from_row(row: Row[Any]) -> Shard:
    fields = dict(row._mapping)
    state, audience = ShardState(fields.pop("state")), fields.pop("audience")
    fields["is_held"] = bool(fields["is_held"])
    tally = Tally(**{each: fields.pop(column.name) for each, column in COUNTS.items()}, audience=audience)
    if state is ShardState.FINISHED and tally.audience is not None:
        tally = replace(tally, gone=tally.audience - tally.met)
    return Shard(**fields, state=state, tally=tally)


def of_campaign(connection: Connection, campaign_id: int) -> list[Shard]:
    """A campaign's shards, in order."""
    rows = connection.execute(_rows(connection).where(shards.c.campaign_id == campaign_id).order_by(shards.c.number))
    return [_from_row(row) for row in rows]


def busiest(connection: Connection, campaign_id: int, most: int) -> list[Shard]:
    """At most so many of a campaign's shards, in order: those at which somebody is before those that wait, and
    finished ones last."""
    rank = sa.case(
        (shards.c.state == ShardState.FINISHED, 2), (shards.c.lease_until_ms >= now_ms(connection), 0), else_=1
    )
    query = _rows(connection).where(shards.c.campaign_id == campaign_id)
    rows = connection.execute(query.order_by(rank, shards.c.number).limit(most))
    return sorted(map(_from_row, rows), key=lambda each: each.number)


def between(connection: Connection, first_campaign_id: int, last_campaign_id: int) -> list[Shard]:
    """The shards of all campaigns from the first to the last id, in order."""
    in_range = shards.c.campaign_id.between(first_campaign_id, last_campaign_id)
    rows = connection.execute(_rows(connection).where(in_range).order_by(shards.c.campaign_id, shards.c.number))
    return [_from_row(row) for row in rows]


def get(connection: Connection, campaign_id: int, number: int) -> Shard:
    """The shard with this number, which is there."""
    return _from_row(connection.execute(_rows(connection).where(is_shard(campaign_id, number))).one())


def waiting(connection: Connection, owner: str | None, folders: Collection[str] | None = None) -> list[tuple[int, int]]:
    """Campaign id and number of every shard that a task of `owner` is to see to, oldest first: open ones of running,
    prepared campaigns that it may take, also from a silent folder, and those that a dead process of `owner` did not let
    go of when theirs was stopped. Of a campaign with a ledger anybody may take those that nobody has, once they are
    due and unless its gateway is drained. Without an `owner` those of all folders, for tasks on all hosts; see
    `folder_for`. Of those that go to a log then only what a worker with one of these `folders` can do, where they are
    known."""
    # Not as a join: a server that begins with the few campaigns that run reads all their shards, finished ones too.
    columns = (shards.c[each] for each in ("campaign_id", "number", "state", "owner", "lease_until_ms", "due_ms"))
    unfinished = connection.execute(
        sa.select(*columns).where(_is_unfinished()).order_by(shards.c.campaign_id, shards.c.number)
    ).all()
    of_running = sa.select(campaigns.c.id, is_prepared(), campaigns.c.gateway).where(
        campaigns.c.state == State.RUNNING, drains.is_open()
    )
    running = {row[0]: (bool(row[1]), row[2] == LOG) for row in connection.execute(of_running)}
    halted = {each.campaign_id for each in unfinished if each.lease_until_ms > 0}.difference(running)
    of_logs = sa.select(campaigns.c.id).where(campaigns.c.id.in_(sorted(halted)), campaigns.c.gateway == LOG)
    halted_logs = set(connection.execute(of_logs).scalars()) if halted else set()
    now: int = connection.execute(sa.select(now_ms(connection))).scalar_one() if unfinished else 0

    def is_heard(its_owner: str) -> bool:
        return folders is None or (its_owner in folders if its_owner else len(folders) > 0)

    def is_waiting(campaign_id: int, state: str, its_owner: str, lease_until_ms: int, due_ms: int) -> bool:
        if campaign_id not in running:
            is_ours = is_heard(its_owner) if owner is None else owner == its_owner
            return campaign_id in halted_logs and is_ours and lease_until_ms > 0
        prepared, has_log = running[campaign_id]
        if has_log:  # see _may_be_taken_by
            is_silent = state == ShardState.OPEN and lease_until_ms < now
            if owner is None:
                return prepared and is_heard("" if is_silent else its_owner)
            return prepared and (its_owner in {"", owner} or is_silent)
        return prepared and lease_until_ms < now and due_ms <= now

    return [
        (each.campaign_id, each.number)
        for each in unfinished
        if is_waiting(each.campaign_id, each.state, each.owner, each.lease_until_ms, each.due_ms)
    ]


def folder_for(connection: Connection, campaign_id: int, number: int) -> str:
    """Whose task is to have a shard that goes to a log: the folder's in which it is, '' for whoever comes first."""
    query = sa.select(shards.c.owner, shards.c.state, shards.c.lease_until_ms < now_ms(connection), campaigns.c.state)
    query = query.join(campaigns, campaigns.c.id == shards.c.campaign_id).where(is_shard(campaign_id, number))
    row = connection.execute(query).one_or_none()
    if row is None:  # somebody removed the campaign
        return ""
    owner, state, is_silent, campaign_state = row
    is_free = state == ShardState.OPEN and is_silent and campaign_state == State.RUNNING
    return "" if is_free else str(owner)


def held(connection: Connection) -> dict[tuple[int, int], bool]:
    """By campaign id and number every unfinished shard that somebody took up and did not let go of: whether they show
    signs of life."""
    is_held = sa.case((shards.c.lease_until_ms >= now_ms(connection), 1), else_=0)
    query = sa.select(shards.c.campaign_id, shards.c.number, is_held)
    rows = connection.execute(query.where(_is_unfinished(), shards.c.lease_until_ms > 0))
    return {(row[0], row[1]): bool(row[2]) for row in rows}


def elsewhere(connection: Connection, owner: str) -> dict[tuple[int, str], list[int]]:
    """Shards of running campaigns whose logs are to be compared in folders other than `owner`, of which no sign of life
    comes: their numbers, by campaign id and folder."""
    rows = connection.execute(
        sa.select(shards.c.campaign_id, shards.c.number, shards.c.owner)
        .join(campaigns, campaigns.c.id == shards.c.campaign_id)
        .where(
            campaigns.c.state == State.RUNNING,
            campaigns.c.gateway == LOG,
            shards.c.state == ShardState.SUSPECT,
            shards.c.owner.not_in(["", owner]),
            shards.c.lease_until_ms < now_ms(connection),
        )
        .order_by(shards.c.campaign_id, shards.c.number)
    )
    found: dict[tuple[int, str], list[int]] = {}
    for row in rows:
        found.setdefault((row.campaign_id, row.owner), []).append(row.number)
    return found


def uncounted(connection: Connection) -> list[Shard]:
    """Every shard that is under way and of which nobody knows how many customers it had. Where every id is done it is
    too late: who was deleted meanwhile would be taken for never there."""
    query = _rows(connection).where(_is_uncounted()).order_by(shards.c.campaign_id, shards.c.number)
    return [_from_row(row) for row in connection.execute(query)]


def has_uncounted(connection: Connection) -> bool:
    """Whether there is one."""
    return connection.execute(sa.select(shards.c.number).where(_is_uncounted()).limit(1)).first() is not None


def _is_uncounted() -> ColumnElement[bool]:
    return sa.and_(shards.c.audience.is_(None), _is_unfinished(), shards.c.last_id < shards.c.to_id)


def note_audience(connection: Connection, shard: Shard, audience: int) -> None:
    """How many customers the shard had; the first one to say so is right. It may be finished meanwhile."""
    connection.execute(
        shards.update()
        .where(is_shard(shard.campaign_id, shard.number), shards.c.audience.is_(None))
        .values(audience=sa.case((audience < _MET, _MET), else_=audience))
    )


def claim(connection: Connection, campaign_id: int, number: int, owner: str) -> Shard:
    """Make the shard `owner`'s under a new epoch, by compare-and-set. The caller holds the lock of its log there, and
    sees to where it goes on, see log_parts.py. Raises ShardTaken."""
    changed = connection.execute(
        shards.update()
        .where(
            is_shard(campaign_id, number),
            shards.c.state != ShardState.FINISHED,
            _may_be_taken_by(connection, owner),
            runs(),
        )
        .values(owner=owner, epoch=shards.c.epoch + 1, lease_until_ms=lease_until_ms(connection))
    )
    if changed.rowcount != 1:
        raise ShardTaken("shard_taken", shard=number, campaign_id=campaign_id)
    return get(connection, campaign_id, number)


def lock(connection: Connection, campaign_id: int, number: int) -> Shard | None:
    """The shard as it is now, and stays until the transaction ends; None for one that was removed. Call it first in its
    transaction, for what is read before is old."""
    query = _rows(connection).where(is_shard(campaign_id, number)).with_for_update()
    row = connection.execute(query).one_or_none()
    return _from_row(row) if row else None


def checkpoint(connection: Connection, hold: Hold, step: Step) -> None:
    """Move the shard on and renew the lease. Raises LeaseLost when it is not ours any more, and when its campaign does
    not run any more."""
    _update_ours(
        connection,
        hold,
        ShardState.OPEN,
        last_id=step.last_id,
        log_bytes=step.log_bytes,
        **added(step.tally),
        work_ms=shards.c.work_ms + step.work_ms,
    )


def renew(connection: Connection, hold: Hold) -> None:
    """Renew the lease of a suspect shard. Raises LeaseLost as `checkpoint` does."""
    _update_ours(connection, hold, ShardState.SUSPECT)


def settle(connection: Connection, hold: Hold, standing: Standing) -> None:
    """A suspect shard is open again, and stands there. Raises LeaseLost as `checkpoint` does."""
    counts = {column.name: getattr(standing.tally, each) for each, column in COUNTS.items()}
    stands = {"state": ShardState.OPEN, "last_id": standing.last_id, "log_bytes": standing.log_bytes}
    _update_ours(connection, hold, ShardState.SUSPECT, **stands, **counts)


def _update_ours(connection: Connection, hold: Hold, state: ShardState, /, **values: object) -> None:
    is_ours = sa.and_(
        is_shard(hold.campaign_id, hold.number),
        shards.c.owner == hold.owner,
        shards.c.epoch == hold.epoch,
        shards.c.state == state,
    )
    changed = connection.execute(
        shards.update().where(is_ours, runs()).values(lease_until_ms=lease_until_ms(connection), **values)
    )
    if changed.rowcount != 1:
        raise LeaseLost("lease_lost", shard=hold.number, campaign_id=hold.campaign_id)


def keep(connection: Connection, campaign_id: int, number: int, owner: str) -> None:
    """Show a sign of life, as long as the shard is `owner`'s and somebody is at it."""
    is_at_it = sa.and_(is_shard(campaign_id, number), shards.c.owner == owner, shards.c.lease_until_ms > 0)
    connection.execute(shards.update().where(is_at_it, runs()).values(lease_until_ms=lease_until_ms(connection)))


def let_go(connection: Connection, campaign_id: int, number: int, owner: str) -> None:
    """Nobody writes this log now, and it ends where the record says."""
    connection.execute(
        shards.update().where(is_shard(campaign_id, number), shards.c.owner == owner).values(lease_until_ms=0)
    )


def release(connection: Connection, hold: Hold) -> None:
    """Whoever comes may go on from the record, where the log ends: nobody writes it now. It asks for the epoch, for
    somebody may have come already."""
    is_ours = sa.and_(
        is_shard(hold.campaign_id, hold.number),
        shards.c.owner == hold.owner,
        shards.c.epoch == hold.epoch,
        shards.c.lease_until_ms > 0,
    )
    connection.execute(shards.update().where(is_ours).values(lease_until_ms=0))


def finish(connection: Connection, campaign_id: int, number: int) -> bool:
    """Close a shard whose every id is done; whether this closed it. Its owner stays: the log is in his folder.

    Its audience is at least those who were met: some may have come between its ids after they were counted. One that
    is not counted yet stays so, until a count that began before notes it.
    """
    audience = sa.case((shards.c.audience < _MET, _MET), else_=shards.c.audience)
    changed = connection.execute(
        shards.update()
        .where(
            is_shard(campaign_id, number),
            shards.c.state == ShardState.OPEN,
            shards.c.last_id == shards.c.to_id,
            shards.c.submitting + shards.c.retry == 0,
        )
        .values(state=ShardState.FINISHED, lease_until_ms=0, audience=audience)
    )
    return changed.rowcount == 1
