"""What goes on in the background while pages say how far it is: what it came to, or why not, as a sentence."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.errors import AppError
from app.sentence import Sentence
from app.store.faults import reason

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Key = TypeVar("Key")
Job = TypeVar("Job")


def drop_oldest(kept: dict[Key, Job], most: int, is_over: Callable[[Job], bool]) -> None:
    """Of more than `most`, the oldest that are over are forgotten."""
    over = [key for key, job in kept.items() if is_over(job)]
    for key in over[: max(0, len(kept) - most)]:
        del kept[key]


async def outcome(job: Awaitable[Result], away: Sentence) -> tuple[Result | None, Sentence | None]:
    """What the job gives, or why it gives nothing; `away` where the database was. What nobody expected is logged."""
    try:
        return await job, None
    except AppError as error:
        return None, error.sentence
    except SQLAlchemyError as error:
        log.warning("given up, the database is away", extra={"error": reason(error)})
        return None, away
    except Exception:
        log.exception("a job in the background broke")
        return None, Sentence("http.broken")
