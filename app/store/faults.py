"""Errors of a database that pass by themselves, and transactions that are tried again."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential, wait_random

from app.store.database import READ_ONLY, sqlite_code, writing

log = logging.getLogger(__name__)

Result = TypeVar("Result")

TRY_FOR_S = 2.0
"""Longest time that a transaction is tried again; less than a stopping task worker gets."""
LONGEST_PAUSE_S = 2.0
"""Between two looks for a database that is away."""
_UNDONE = READ_ONLY | {1020, 1205, 1213}
"""A server that is read-only for now; a row that was changed since we read it (MariaDB's innodb_snapshot_isolation, on
from 11.6.2); lock wait timeout; deadlock.
Source: MySQL 9 server error message reference; MariaDB has the same numbers."""
_NO_TABLE, _VIEW_OF_NONE = 1146, 1356
_SQLITE_UNDONE = frozenset([sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED])


def write(database: Engine, unit: Callable[[Connection], Result]) -> Result:
    """Run `unit` in a transaction that writes, and again, with growing pauses, when the database undid all of it.

    A connection that is lost is not among these, for the commit may have been the last thing it did. Raises what the
    last try raised.
    """
    for attempt in Retrying(
        retry=retry_if_exception(_was_undone),
        wait=wait_exponential(multiplier=0.02, max=0.5) + wait_random(0, 0.05),
        stop=stop_after_delay(TRY_FOR_S),
        before_sleep=_note,
        reraise=True,
    ):
        with attempt, writing(database) as connection:
            result = unit(connection)
    return result


async def waited_for(ask: Callable[[], Awaitable[Result]], is_given_up: Callable[[], bool] = lambda: False) -> Result:
    """Ask the database, and again with growing pauses while it is away, until it `is_given_up`. It may be done twice,
    for a connection that is lost may be so after a commit. Raises what the last one raised."""
    pause_s, told = 0.05, ""
    while True:
        try:
            return await ask()
        except DBAPIError as error:
            if not may_pass(error) or is_given_up():
                raise
            if (why := reason(error)) != told:
                log.warning("database is away, trying again", extra={"error": why})
            told = why
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def may_pass(error: DBAPIError) -> bool:
    """Whether it says something of the database's health, rather than of our statement. A table that is not there may
    come back, as a column may, which is an OperationalError."""
    passes = isinstance(error, OperationalError | InterfaceError | InternalError)
    return error.connection_invalidated or passes or is_no_table(error)


def is_no_table(error: DBAPIError) -> bool:
    """Whether a table or view of the statement is not there, or is a view of one that is not."""
    if isinstance(error.orig, sqlite3.Error):
        return str(error.orig).startswith("no such table")
    return error.orig is not None and error.orig.args[:1] in {(_NO_TABLE,), (_VIEW_OF_NONE,)}


def reason(error: BaseException) -> str:
    """The driver's text alone: the statement and its values may hold customers."""
    source = getattr(error, "orig", None) or error
    return " ".join(str(part) for part in getattr(source, "args", ()) or [source])


def text_of(error: Exception) -> str:
    """What went wrong in a task, in words that may be kept: of the database's errors the driver's text alone."""
    return reason(error) if isinstance(error, SQLAlchemyError) else str(error)


def number_of(error: DBAPIError) -> str:
    """What kind of error it is and its number, for where the driver's text is not to be seen: that of a statement which
    was refused has values in it."""
    found = getattr(error.orig, "sqlite_errorcode", None) or next(iter(getattr(error.orig, "args", ())), None)
    return f"{type(error).__name__} {found}" if isinstance(found, int) else type(error).__name__


def _was_undone(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    if isinstance(error.orig, sqlite3.Error):
        return sqlite_code(error.orig) in _SQLITE_UNDONE
    return bool(error.orig.args) and error.orig.args[0] in _UNDONE


def _note(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("transaction undone, trying again", extra={"error": reason(error) if error else ""})
