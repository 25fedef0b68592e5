"""Fills the table of customers: all of them or none, whatever happens on the way."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app import catalogue
from app.store.tables import customers
from migrations import schema
from seed.customers import Row
from seed.mysql import MySQLStore
from seed.sqlite import SQLiteStore

Say = Callable[[str], None]
Check = Callable[[], None]
Held = Callable[[], AbstractContextManager[None]]


class Store(Protocol):
    """What differs between the databases."""

    def enter(self) -> None:
        """Keep other seeds of this schema out until the session ends, waiting for one that is there."""

    def begin(self) -> None:
        """Open the transaction that everything goes into."""

    clears_for_good: bool
    """Whether what `clear` deleted is gone, even if nothing is committed after it."""

    def clear(self) -> None:
        """Delete every customer; nobody ever sees a part of them."""

    def write(self, rows: list[Row]) -> None:
        """Add rows. Raises RowsLost when the database keeps others than these."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a run did."""

    there: int
    """Customers that were there before and still are; 0 when the table was empty or was reset."""
    added: int
    took_s: float
    """Making the rows up, writing them and the commit."""


def count_customers(engine: Engine) -> int:
    """How many rows there are; 0 where there is no table yet."""
    with engine.connect() as connection:
        return _count(connection) if sa.inspect(connection).has_table(customers.name) else 0


def fill(
    engine: Engine,
    people: Iterable[list[Row]],
    *,
    reset: bool,
    say: Say,
    on_added: Callable[[int], None],
    on_emptying: Callable[[], None] = lambda: None,
    check: Check = lambda: None,
    held: Held = nullcontext,
) -> Filled:
    """Migrate, then write `people` into an empty table, in one transaction; `reset` empties it first.

    `on_added` hears the rows written so far: 0 when writing begins, then after every list. `say` hears a
    sentence where a person would wonder, `on_emptying` that from now on the former customers are lost. Two at
    once on one schema: the second waits for the first.
    `check` is called between steps, at least once a second while waiting, and ends it by raising; `held` keeps what
    cannot be interrupted together.
    """
    with engine.connect().execution_options(writes=True) as connection:
        connection.detach()  # closing it then ends the session, and with that whatever it holds
        store = _store(connection, say, check, held)
        try:
            store.enter()
            _migrate(connection, say)
            store.begin()
            there = _count(connection)
            if there and not reset:
                return Filled(there, 0, 0.0)
            started = time.monotonic()
            if there:
                if store.clears_for_good:
                    on_emptying()
                store.clear()
            added = 0
            on_added(added)
            for rows in people:
                check()
                store.write(rows)
                added += len(rows)
                on_added(added)
            check()
            connection.commit()
        except KeyboardInterrupt:
            # The driver may be in the middle of an exchange, where it cannot say ROLLBACK any more; the
            # server takes everything back once we have hung up.
            connection.invalidate()
            raise
        return Filled(0, added, time.monotonic() - started)


def _store(connection: Connection, say: Say, check: Check, held: Held) -> Store:
    if connection.dialect.name == "sqlite":
        return SQLiteStore(connection, say, check)
    return MySQLStore(connection, say, check, held)


def _count(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one()


def _migrate(connection: Connection, say: Say) -> None:
    before = schema.status(connection)
    if not before.is_current:
        schema.upgrade(connection)
        say(catalogue.say("schema.went", before=before.current or "base", after=before.head))
    connection.rollback()
