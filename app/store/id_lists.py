"""Rows of `id_lists`: ids that a command put there, for a trigger to name that has no room for them itself."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.chunk import pack, unpacked
from app.store.chosen import IDS_IN_A_ROW
from app.store.tables import id_lists

KEPT_FOR = timedelta(days=1)
"""What a command that was killed left behind."""


def insert(connection: Connection, ids: Sequence[int]) -> str:
    """A name for these ids, which ascend. One transaction, so that nobody finds half of them."""
    remove_old(connection)
    now, name = datetime.now(UTC), secrets.token_hex(16)
    for at in range(0, len(ids), IDS_IN_A_ROW):
        some = ids[at : at + IDS_IN_A_ROW]
        connection.execute(
            id_lists.insert(), {"name": name, "first_id": some[0], "ids": pack(some, "I"), "made_at": now}
        )
    return name


def remove_old(connection: Connection) -> None:
    """Lists of commands that were killed."""
    connection.execute(id_lists.delete().where(id_lists.c.made_at < datetime.now(UTC) - KEPT_FOR))


def read(connection: Connection, name: str) -> Sequence[int]:
    """The ids under this name, in order, none where nobody put any there; four bytes for each are in memory."""
    rows = connection.execute(sa.select(id_lists.c.ids).where(id_lists.c.name == name).order_by(id_lists.c.first_id))
    return unpacked((row.ids for row in rows), "I")


def remove(connection: Connection, name: str) -> None:
    """Once they are needed no more."""
    connection.execute(id_lists.delete().where(id_lists.c.name == name))
