"""What goes on in the background while pages say how far it is: what it came to, or why not, as a sentence."""

import logging
from collections.abc import Awaitable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.errors import AppError
from app.sentence import Sentence
from app.store.faults import reason

log = logging.getLogger(__name__)

Result = TypeVar("Result")


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
