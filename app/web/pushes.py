"""Takes what providers send to us by themselves: receipts, which go the way of all receipts once they are known to be
the provider's, by its signature.

Whoever cannot sign gets one answer, for a gateway that is there and for one that is not, and costs a hash at most.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.sentence import Sentence
from app.web.api.gate import BY_SIGNATURE
from app.web.house import house_of
from app.web.problems import TooLarge, problem

router = APIRouter(include_in_schema=False)

MOST_BYTES = 65_536


@router.post(BY_SIGNATURE + "{gateway}")
async def take_receipts(request: Request, gateway: Annotated[str, Path(max_length=64)]) -> Response:
    """Its own way of asking who it is: the provider's signature, in place of a token."""
    _check_length(request)
    pushes = house_of(request).pushes
    pushed = await pushes.known(gateway)
    news = None
    if pushed is not None:
        signature = request.headers.get(pushed.signature_header, "")
        body = await _body(request) if signature else b""
        query = request.scope["query_string"].decode("latin-1")
        news = pushed.read(query, body, signature) if signature else None
    if news is None:
        return problem(request.scope, 404, Sentence("http.not_found"))
    if news:
        await pushes.take(gateway, news)
    return Response(status_code=204)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise TooLarge
    return bytes(body)


def _check_length(request: Request) -> None:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise TooLarge
