"""What comes before the first message of a campaign: its duplicates are found."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.dedupe.find_duplicates import find_duplicates
from app.domain.orders import Outcome, PrepareOrder, PrepareReport
from app.errors import LogUnusable, ShardTaken
from app.sentence import stored
from app.store.faults import may_pass, reason


def prepare_campaign(
    database: Engine, log_dir: Path, order: PrepareOrder, *, should_stop: Callable[[], bool]
) -> PrepareReport:
    """Find the campaign's duplicates, or go on with it. Whatever happens, the next call goes on."""
    try:
        done = find_duplicates(database, log_dir, order.campaign_id, should_stop)
    except ShardTaken:
        return PrepareReport(order, Outcome.TAKEN)
    except LogUnusable as error:
        return PrepareReport(order, Outcome.BLOCKED, stored(error.sentence))
    except DBAPIError as error:
        if not may_pass(error):
            raise
        return PrepareReport(order, Outcome.BLOCKED, reason(error))
    finally:
        _give_memory_back()
    return PrepareReport(order, Outcome.COMPLETE if done else Outcome.STOPPED)


def _give_memory_back() -> None:
    """To the kernel, what the C library keeps: 30 MB, while this and the other workers are to send."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc has it; musl gives back by itself
        trim(0)
