"""How answers of the API are described, and made where a model is not all of it."""

import hashlib
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response, StreamingResponse

from app.web.api.models import Problem

NDJSON = "application/x-ndjson"
MOST_AT_ONCE = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most.")]
Item = TypeVar("Item", bound=BaseModel)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation may be refused with, beside what every one may."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {each: {"description": HTTPStatus(each).phrase, "content": content} for each in sorted(statuses)}


EVERYWHERE = problems(400, 401, 403, 413, 421, 422, 503)


def streams(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for one that gives a line for each, where that is asked for."""
    line = {"schema": {"type": "string"}, "example": '{"customer_id":1,"reason":"no_mobile"}\n'}
    return {200: {"content": {NDJSON: line}}, **problems(*statuses)}


def with_etag(request: Request, model: BaseModel) -> Response:
    """The model, or only that it is as they have it already. Words in it are in the language of who asked."""
    body = model.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache, private", "vary": "accept-language, cookie, authorization"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


IfNoneMatch = Annotated[str | None, Header(description="The ETag of what is known already.")]


def wants_lines(request: Request) -> bool:
    """Whether they would rather have a line for each, as many as there are."""
    return NDJSON in request.headers.get("accept", "")


def lines(pages: Iterator[Sequence[BaseModel]]) -> Response:
    """All of them, in bounded memory. Where it breaks off the body is not complete, and a client notices."""
    texts = ("".join(f"{each.model_dump_json()}\n" for each in page) for page in pages)
    return StreamingResponse(texts, media_type=NDJSON)


def json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model that is made already."""
    return JSONResponse(model.model_dump(mode="json"), status, headers)
