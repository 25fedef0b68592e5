"""Rows of `opt_outs`, numbers that want no messages, and `replies`."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.domain.receipt import Reply
from app.store import literals
from app.store.database import insert_all_new
from app.store.tables import opt_outs, replies

EVERYBODY = "*"
"""In place of a signature: no message at all."""
PAGE_ROWS = 10_000


def among(connection: Connection, signature: str, mobiles: Collection[int]) -> set[int]:
    """Which of these numbers want nothing under this signature."""
    if not mobiles:
        return set()
    query = sa.select(opt_outs.c.mobile).where(
        opt_outs.c.signature.in_([signature, EVERYBODY]), literals.among(opt_outs.c.mobile, mobiles)
    )
    return set(connection.execute(query, execution_options=literals.UNCACHED).scalars())


def of_number(connection: Connection, mobile: int) -> list[tuple[str, datetime]]:
    """Under which signatures the number wants nothing, and since when."""
    query = sa.select(opt_outs.c.signature, opt_outs.c.since).where(opt_outs.c.mobile == mobile)
    return [(signature, since) for signature, since in connection.execute(query.order_by(opt_outs.c.signature))]


def add(connection: Connection, signature: str, mobiles: Collection[int], source: str) -> int:
    """Note them; how many are new. Who is noted already, also by somebody at this moment, stays as they are."""
    if not mobiles:
        return 0
    of = {"signature": signature, "since": datetime.now(UTC), "source": source}
    return insert_all_new(connection, opt_outs, [{**of, "mobile": each} for each in sorted({*mobiles})])


def remove(connection: Connection, signature: str, mobiles: Collection[int]) -> int:
    """They get messages again; how many there were."""
    query = opt_outs.delete().where(opt_outs.c.signature == signature, opt_outs.c.mobile.in_(mobiles))
    return connection.execute(query).rowcount


def find(connection: Connection, signature: str, mobile: int) -> sa.Row[tuple[object, ...]] | None:
    """The row of one."""
    return connection.execute(
        sa.select(opt_outs).where(opt_outs.c.signature == signature, opt_outs.c.mobile == mobile)
    ).first()


def signatures_of(connection: Connection, mobile: int) -> list[str]:
    """Under which this number gets nothing."""
    return [signature for signature, _ in of_number(connection, mobile)]


def page(
    connection: Connection, after: tuple[str, int], limit: int = PAGE_ROWS
) -> Sequence[sa.Row[tuple[object, ...]]]:
    """The next ones behind a signature and number, by these."""
    signature, mobile = opt_outs.c.signature, opt_outs.c.mobile
    if connection.dialect.name == "sqlite":  # which begins at the signature's first number for the other form
        is_behind = sa.tuple_(signature, mobile) > after
    else:  # which begin at the table's first row for that one
        is_behind = sa.or_(signature > after[0], sa.and_(signature == after[0], mobile > after[1]))
    query = sa.select(opt_outs).where(is_behind)
    return connection.execute(query.order_by(opt_outs.c.signature, opt_outs.c.mobile).limit(limit)).all()


def pages(database: Engine) -> Iterator[Sequence[sa.Row[tuple[object, ...]]]]:
    """All of them, by signature and number."""
    after = ("", 0)
    while True:
        with database.connect() as connection:
            found = page(connection, after)
        if not found:
            return
        yield found
        after = (found[-1].signature, found[-1].mobile)


def note_replies(connection: Connection, gateway: str, found: Sequence[Reply]) -> None:
    """What people answered."""
    connection.execute(
        replies.insert(),
        [
            {"gateway": gateway, "mobile": each.mobile, "text": each.text, "received_at": each.received_at}
            for each in found
        ],
    )
