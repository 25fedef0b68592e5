"""What is asked with an Idempotency-Key is done once, however often it is asked, and answered the same."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import Engine

from app.domain.actor import Actor
from app.errors import AppError
from app.store import idempotency
from app.store.faults import write

Made = TypeVar("Made", bound=BaseModel)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern="^[!-~]+$",
        description="Chosen by who asks. For a day the same key with the same body is answered the same, and nothing "
        "is done again; with another body it is refused with 422.",
    ),
]


def once(
    database: Engine,
    by: Actor,
    operation: str,
    key: str | None,
    asked: BaseModel,
    act: Callable[[], Made],
    answer: type[Made],
    *,
    again_after: timedelta | None = None,
) -> Made:
    """What `act` gives, or gave before. What it refuses by an error of ours was not done, and may be asked again; what
    broke off otherwise `again_after` so long, or not at all. Raises OtherRequest and what `act` raises."""
    if key is None:
        return act()
    who = by.who[:128]
    of = hashlib.sha256("\0".join([by.who, operation, key]).encode()).hexdigest()
    body = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    before = write(database, partial(idempotency.begin, key=of, who=who, body=body, again_after=again_after))
    if before is not None:
        return answer.model_validate_json(before)
    try:
        made = act()
    except AppError:
        write(database, partial(idempotency.forget, key=of, who=who))
        raise
    write(database, partial(idempotency.end, key=of, who=who, answer=made.model_dump_json()))
    return made
