"""Rows of `log_parts`: which stretch of a shard's ids lies in which folder of logs, see app/store/tables.py.

A shard's parts follow each other without a gap: where one ends on record, the next begins. So whoever takes a shard up
needs the record alone, and nothing that lies elsewhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from app.domain.campaign import ShardState
from app.domain.tally import Tally
from app.errors import ShardTaken
from app.store import shards
from app.store.database import host_of
from app.store.shards import Shard
from app.store.tables import log_parts
from app.store.tables import shards as shards_table

_COUNTS = {"sent": "sent", "male": "male", "female": "female", "neutral": "unknown"}
"""Where what a tally counts of a part is stored."""
FORMS = ("sent", "male", "female", "neutral")
"""What a part counts: the rejected have a table of their own."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a shard's ids whose messages lie in one folder: `first_id <= id <= last_id`, from `from_byte` to
    `to_byte`."""

    shard: int
    number: int
    folder: str
    host: str
    """'' where it was not noted."""
    first_id: int
    last_id: int
    from_byte: int
    to_byte: int
    tally: Tally
    """How many were sent, and in which form."""
    is_open: bool
    """Whether it is the shard's last one, and grows while that is sent."""
    to_cut: bool = False
    """Whether its folder may have more behind it, which counts for nothing."""

    @property
    def after_id(self) -> int:
        return self.first_id - 1

    @property
    def is_empty(self) -> bool:
        return self.last_id < self.first_id


class Claimed(NamedTuple):
    """A shard that is ours, and its parts in our folder."""

    shard: Shard
    parts: list[Part]
    is_taken_over: bool
    """Whether we have it for the first time, and others had it before."""
    to_cut: list[int]
    """Numbers of parts here behind which there may be more, until we note that it is cut off."""


def lying_in(parts: Iterable[Part], folder: str) -> list[Part]:
    """Those in this folder, in the order of ids, which is that of bytes; an open one that is empty as well."""
    return [each for each in parts if each.folder == folder and (each.is_open or not each.is_empty)]


def lying_elsewhere(parts: Iterable[Part], folder: str) -> list[Part]:
    """Those in other folders that have something."""
    return [each for each in parts if each.folder != folder and not each.is_empty]


def end_of(parts: Iterable[Part], folder: str) -> int:
    """How long a shard's log in this folder is by the record."""
    return max((each.to_byte for each in parts if each.folder == folder), default=0)


def whole(shard: Shard, folder: str) -> Part:
    """A shard that lies in one folder, all of it."""
    return Part(
        shard=shard.number,
        number=0,
        folder=folder,
        host="",
        first_id=shard.after_id + 1,
        last_id=shard.last_id,
        from_byte=0,
        to_byte=shard.log_bytes,
        tally=shard.tally,
        is_open=True,
    )


def of_shard(connection: Connection, shard: Shard) -> list[Part]:
    """All parts of a shard in the order of ids; also those that are empty."""
    return of_shards(connection, [shard])[shard.number]


def of_shards(connection: Connection, some: Sequence[Shard]) -> dict[int, list[Part]]:
    """The same for shards of one campaign, by number."""
    if not some:
        return {}
    query = sa.select(log_parts).where(log_parts.c.campaign_id == some[0].campaign_id)
    if len(some) == 1:
        query = query.where(log_parts.c.shard == some[0].number)
    rows: dict[int, list[Row[Any]]] = {each.number: [] for each in some}
    for row in connection.execute(query.order_by(log_parts.c.shard, log_parts.c.number)):
        if row.shard in rows:
            rows[row.shard].append(row)
    return {each.number: _in_order(each, rows[each.number]) for each in some}


def _in_order(shard: Shard, rows: Sequence[Row[Any]]) -> list[Part]:
    closed, opened = [], None
    for row in rows:
        tally = Tally(**{each: getattr(row, column) for each, column in _COUNTS.items()})
        part = Part(
            shard=row.shard,
            number=row.number,
            folder=row.folder,
            host=row.host,
            first_id=row.first_id,
            last_id=row.first_id - 1 if row.last_id is None else row.last_id,
            from_byte=row.from_byte,
            to_byte=row.from_byte if row.to_byte is None else row.to_byte,
            tally=tally,
            is_open=row.last_id is None,
            to_cut=row.to_cut,
        )
        if part.is_open:
            opened = part
        else:
            closed.append(part)
    closed.sort(key=lambda each: (each.first_id, each.number))
    if opened is None and not closed and shard.owner:  # by a release that noted none
        opened = whole(shard, shard.owner)
    if opened is None:
        return closed
    left = {each: getattr(shard.tally, each) - sum(getattr(one.tally, each) for one in closed) for each in FORMS}
    return [*closed, replace(opened, last_id=shard.last_id, to_byte=shard.log_bytes, tally=Tally(**left))]


def claim(connection: Connection, campaign_id: int, number: int, folder: str) -> Claimed:
    """Make the shard the folder's, see shards.claim. Where it was another one's, it goes on in a part of its own, from
    the record on. Call it first in its transaction. Raises ShardTaken."""
    before = shards.lock(connection, campaign_id, number)
    if before is None:
        raise ShardTaken("shard_taken", shard=number, campaign_id=campaign_id)
    shard = shards.claim(connection, campaign_id, number, folder)
    parts, host = of_shard(connection, before), host_of(connection)
    if parts and parts[-1].is_open and parts[-1].folder == folder:
        if parts[-1].host != host:
            _store(connection, campaign_id, replace(parts[-1], host=host))
        return Claimed(shard, lying_in(parts, folder), is_taken_over=False, to_cut=_dirty(parts, folder))
    is_new = bool(parts) and not any(each.folder == folder for each in parts)
    shard = _begin(connection, shard, parts, folder)
    parts = of_shard(connection, shard)
    return Claimed(shard, lying_in(parts, folder), is_taken_over=is_new, to_cut=_dirty(parts, folder))


def _dirty(parts: Iterable[Part], folder: str) -> list[int]:
    return [each.number for each in parts if each.folder == folder and each.to_cut]


def hand_over(connection: Connection, shard: Shard, folder: str) -> None:
    """A shard of a halted campaign is to go on in this folder, compared first."""
    changes = {"owner": folder, "state": ShardState.SUSPECT, "epoch": shards_table.c.epoch + 1, "lease_until_ms": 0}
    its_row = shards.is_shard(shard.campaign_id, shard.number)
    connection.execute(shards_table.update().where(its_row).values(changes))
    _begin(connection, shard, of_shard(connection, shard), folder)


def _begin(connection: Connection, shard: Shard, parts: Sequence[Part], folder: str) -> Shard:
    """The next part, in this folder, which the shard's row names already."""
    first_id = shard.after_id + 1
    position = shard.log_bytes
    if parts and parts[-1].is_open and parts[-1].folder == folder:
        return shard
    if parts:
        if parts[-1].is_open:
            _close(connection, shard, parts[-1])
        first_id, position = shard.last_id + 1, end_of(parts, folder)
        its_row = shards.is_shard(shard.campaign_id, shard.number)
        connection.execute(shards_table.update().where(its_row).values(log_bytes=position))
    part = {
        "campaign_id": shard.campaign_id,
        "shard": shard.number,
        "number": 1 + max((each.number for each in parts), default=-1),
        "folder": folder,
        "host": host_of(connection),
        "first_id": first_id,
        "from_byte": position if parts else 0,
    }
    connection.execute(log_parts.insert(), part)
    return replace(shard, log_bytes=position)


def _close(connection: Connection, shard: Shard, part: Part) -> None:
    """It ends where the record stands; who wrote it may be writing on."""
    _store(connection, shard.campaign_id, replace(part, is_open=False), to_cut=True)


def settle(connection: Connection, campaign_id: int, parts: Iterable[Part]) -> None:
    """These are now as they are here."""
    for each in parts:
        _store(connection, campaign_id, each)


def _store(connection: Connection, campaign_id: int, part: Part, **others: object) -> None:
    counts = {column: getattr(part.tally, each) for each, column in _COUNTS.items()}
    ends = {"last_id": part.last_id, "to_byte": part.to_byte, **counts}
    values = {"folder": part.folder, "host": part.host, "first_id": part.first_id, "from_byte": part.from_byte}
    values |= {} if part.is_open else ends
    key = sa.and_(_is_of(campaign_id, part.shard), log_parts.c.number == part.number)
    changed = connection.execute(log_parts.update().where(key).values(**values, **others))
    if not changed.rowcount:
        row = {"campaign_id": campaign_id, "shard": part.shard, "number": part.number, **values, **others}
        connection.execute(log_parts.insert(), row)


def abandon(connection: Connection, shard: Shard, parts: Sequence[Part], lost: str, folder: str) -> None:
    """What lay in a folder that is lost is to lie in this one, which compares what it has first. Should the lost one
    come back, all that it has of the shard is cut off."""
    lying_there, host = [each for each in parts if each.folder == lost], host_of(connection)
    moved = [replace(each, folder=folder, host=host, from_byte=0, to_byte=0) for each in lying_there]
    settle(connection, shard.campaign_id, moved)
    tombstone = {
        "campaign_id": shard.campaign_id,
        "shard": shard.number,
        "number": 1 + max(each.number for each in parts),
        "folder": lost,
        "host": lying_there[0].host,
        "first_id": shard.after_id + 1,
        "last_id": shard.after_id,
        "from_byte": 0,
        "to_byte": 0,
        "to_cut": True,
    }
    connection.execute(log_parts.insert(), tombstone)
    hand_over(connection, shard, folder)


def to_cut(connection: Connection, folder: str) -> list[tuple[int, int]]:
    """Campaign id and number of the shards whose logs in this folder may be longer than their record, and in which
    nobody goes on here; found by an index."""
    its_shard = shards.is_shard(log_parts.c.campaign_id, log_parts.c.shard)
    nobody = sa.or_(shards_table.c.owner != folder, shards_table.c.state == ShardState.FINISHED)
    query = sa.select(log_parts.c.campaign_id, log_parts.c.shard).distinct().join(shards_table, its_shard)
    query = query.where(log_parts.c.folder == folder, log_parts.c.to_cut == sa.true(), nobody)
    return [(row.campaign_id, row.shard) for row in connection.execute(query.order_by(*query.selected_columns))]


def ask_primary(connection: Connection) -> None:
    """Call it first in a transaction whose answers decide what is cut off for ever. A server that is read-only refuses:
    one that follows another may not know yet what is on record. Nothing is changed, and no row is held."""
    if connection.dialect.name != "sqlite":
        connection.execute(log_parts.update().where(sa.false()).values(to_cut=False))


def note_cut(
    connection: Connection, campaign_id: int, number: int, folder: str, known: Collection[int] | None = None
) -> None:
    """The log in this folder ends where its record does, which had the `known` parts; all of them without."""
    its = sa.and_(_is_in(campaign_id, number, folder), log_parts.c.to_byte.is_not(None))
    if known is not None:
        its = sa.and_(its, log_parts.c.number.in_(known))
    connection.execute(log_parts.delete().where(its, log_parts.c.last_id < log_parts.c.first_id))
    connection.execute(log_parts.update().where(its).values(to_cut=False))


def is_spread(connection: Connection, campaign_id: int) -> bool:
    """Whether a campaign's logs lie in more than one folder."""
    query = sa.select(log_parts.c.folder).where(log_parts.c.campaign_id == campaign_id).distinct().limit(2)
    return len(connection.execute(query).all()) > 1


def in_folders(connection: Connection) -> dict[int, dict[str, list[int]]]:
    """Of all campaigns: by id and folder, the shards that have something there, or may have."""
    query = sa.select(log_parts.c.campaign_id, log_parts.c.folder, log_parts.c.shard).distinct()
    found: dict[int, dict[str, list[int]]] = {}
    for row in connection.execute(query.order_by(log_parts.c.campaign_id, log_parts.c.shard)):
        found.setdefault(row.campaign_id, {}).setdefault(row.folder, []).append(row.shard)
    return found


def _is_of(campaign_id: int, number: int) -> ColumnElement[bool]:
    return sa.and_(log_parts.c.campaign_id == campaign_id, log_parts.c.shard == number)


def _is_in(campaign_id: int, number: int, folder: str) -> ColumnElement[bool]:
    return sa.and_(_is_of(campaign_id, number), log_parts.c.folder == folder)


Parts = Mapping[int, list[Part]]
"""Of a campaign, by shard."""
