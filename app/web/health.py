"""Whether the process lives, and whether it can answer: for who restarts it, and for who sends people to it."""

import sqlalchemy as sa
from fastapi import APIRouter, Request
from sqlalchemy import Engine

from app.web.house import house_of

router = APIRouter(prefix="/health", include_in_schema=False)


@router.get("/live")
async def live() -> dict[str, str]:
    """The event loop turns."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """The database answers; where it does not, a problem with status 503."""
    house = house_of(request)
    await house.threads.run(_ask, house.database)
    return {"status": "ok"}


def _ask(database: Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.select(1))
