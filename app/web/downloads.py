"""Exports as answers: made while they are read, and no longer."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from app.web.door import may_stay
from app.web.house import house_of

CSV, NDJSON = "text/csv", "application/x-ndjson"


class NoLongerLetIn(Exception):
    """Who has it made is not to have the rest."""


def streamed(request: Request, pieces: Iterator[bytes], media_type: str, filename: str = "") -> Response:
    """Piece by piece, each when the one before has left: whoever reads slowly has it made slowly, and once they go away
    nothing more is read. Where it breaks off the body is not complete, and a client notices."""
    shown = f"{media_type}; charset=utf-8" if media_type == CSV else media_type
    headers = {"x-accel-buffering": "no"}
    if filename:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    return StreamingResponse(_made(request, pieces), headers=headers, media_type=shown)


async def _made(request: Request, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    house = house_of(request)
    while (piece := await house.exporting.run(next, pieces, b"")) != b"":
        if not await may_stay(request):
            raise NoLongerLetIn
        yield piece
