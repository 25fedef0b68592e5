"""Rows of `trail`: who did what, written in the transaction that does it. They are added and read, and nothing else."""

import json
import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.actor import Actor, Deed, Via
from app.domain.mobile import mask_all
from app.store.tables import trail

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `deed` may be one that a later release knows; `subject` is what it was done to beside a campaign."""

    id: int
    at: datetime
    who: str
    via: str
    address: str
    deed: str
    campaign: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]


def this_process() -> Actor:
    """Who runs this program: their account of the operating system."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container, as a user that it does not know
        name = str(uid)
    return Actor(f"{name}@{socket.gethostname()}", Via.COMMAND)


def note(
    connection: Connection,
    by: Actor | None,
    deed: Deed,
    *,
    campaign: str = "",
    subject: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """Call it in the transaction of the deed, so that there is neither without the other. `by` None is who runs this
    program. Numbers that can be dialled are masked; what is secret is the caller's to leave out."""
    by = by or this_process()
    connection.execute(
        trail.insert().values(
            at=datetime.now(UTC),
            who=by.who[:128],
            via=by.via,
            address=by.address[:64],
            deed=deed,
            campaign=campaign,
            subject=mask_all(subject)[:255],
            facts_before=_text(before),
            facts_after=_text(after),
        )
    )


def _text(facts: Facts | None) -> str:
    masked = {name: mask_all(value) if isinstance(value, str) else value for name, value in (facts or {}).items()}
    return json.dumps(masked, ensure_ascii=False)


def newest(
    connection: Connection,
    most: int,
    *,
    campaign: str | None = None,
    who: str | None = None,
    deed: str | None = None,
    before_id: int | None = None,
) -> list[Entry]:
    """So many of them, the newest first, from before the one with this id on; of one campaign, somebody, a deed or of
    all."""
    query = sa.select(trail).order_by(trail.c.id.desc()).limit(most)
    wanted = {trail.c.campaign: campaign, trail.c.who: who, trail.c.deed: deed}
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if before_id is not None:
        query = query.where(trail.c.id < before_id)
    return [_from_row(row) for row in connection.execute(query)]


def _from_row(row: sa.Row[tuple[object, ...]]) -> Entry:
    fields = dict(row._mapping)
    before, after = json.loads(fields.pop("facts_before")), json.loads(fields.pop("facts_after"))
    return Entry(**fields, before=before, after=after)
