"""Rows of `idempotency`: what somebody asked with a key of theirs, so that to ask again does nothing again. Neither the
key nor what was asked is kept, only their hashes; the answer is, for a day."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from app.errors import OtherRequest, TooBusy
from app.store.access_tables import idempotency
from app.store.database import insert_new

KEPT_FOR = timedelta(days=1)
MOST_KEPT = 10_000
"""Of one who asks."""
FORGOTTEN_AT_ONCE = 1_000


def begin(connection: Connection, key: str, who: str, body: str, again_after: timedelta | None) -> str | None:
    """The answer that was given before; None: it is to be done now. `key` and `body` are hashes. What was begun and not
    ended is to be done again `again_after` so long, or never, where that might do it twice. Raises OtherRequest and
    TooBusy."""
    now = datetime.now(UTC)
    _forget_old(connection, who, now)
    query = sa.select(sa.func.count()).select_from(idempotency).where(idempotency.c.who == who)
    known = connection.execute(sa.select(idempotency).where(_is(key, who))).one_or_none()
    if known is None:
        if connection.execute(query).scalar_one() >= MOST_KEPT:
            raise TooBusy("too_busy.keys", most=MOST_KEPT)
        if insert_new(connection, idempotency, hash=key, who=who, body=body, asked_at=now, answer=None):
            return None
        raise OtherRequest("same_key.under_way")  # somebody was quicker
    if known.body != body:
        raise OtherRequest("same_key.other_body")
    if known.answer is not None:
        return str(known.answer)
    if again_after is None:
        raise OtherRequest("same_key.unknown")
    is_old = idempotency.c.asked_at < now - again_after
    taken = connection.execute(idempotency.update().where(_is(key, who), is_old).values(asked_at=now))
    if taken.rowcount != 1:
        raise OtherRequest("same_key.under_way")
    return None


def end(connection: Connection, key: str, who: str, answer: str) -> None:
    """It is done, and this is what to say to who asks again."""
    connection.execute(idempotency.update().where(_is(key, who)).values(answer=answer))


def forget(connection: Connection, key: str, who: str) -> None:
    """Nothing was done: it may be asked again."""
    connection.execute(idempotency.delete().where(_is(key, who)))


def _forget_old(connection: Connection, who: str, now: datetime) -> None:
    """Of who asks, and of the next one by name: who asks no more is the next one of somebody. In one order, so that two
    do not wait for each other."""
    following = connection.scalar(sa.select(sa.func.min(idempotency.c.who)).where(idempotency.c.who > who))
    following = following or connection.scalar(sa.select(sa.func.min(idempotency.c.who)))
    for each in sorted({who, following or who}):
        is_old = sa.and_(idempotency.c.who == each, idempotency.c.asked_at < now - KEPT_FOR)
        old = connection.scalars(sa.select(idempotency.c.hash).where(is_old).limit(FORGOTTEN_AT_ONCE)).all()
        if old:
            connection.execute(idempotency.delete().where(idempotency.c.who == each, idempotency.c.hash.in_(old)))


def _is(key: str, who: str) -> sa.ColumnElement[bool]:
    return sa.and_(idempotency.c.who == who, idempotency.c.hash == key)
