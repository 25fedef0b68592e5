"""How answers of the API are described, and made where a model is not all of it."""

import hashlib
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.web.api.models import Problem
from app.web.downloads import CSV, NDJSON, streamed

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
    row = {"schema": {"type": "string"}, "example": "customer_id,reason\r\n1,no_mobile\r\n"}
    return {200: {"content": {NDJSON: line, CSV: row}}, **problems(*statuses)}


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


def wanted(request: Request) -> str:
    """CSV or NDJSON, where they would rather have all there is, a line each; '' where they would not."""
    accepts = request.headers.get("accept", "")
    return next((each for each in (NDJSON, CSV) if each in accepts), "")


def lines(request: Request, pages: Iterator[Sequence[BaseModel]]) -> Response:
    """All of them, in bounded memory."""
    texts = ("".join(f"{each.model_dump_json()}\n" for each in page).encode() for page in pages)
    return streamed(request, texts, NDJSON)


def json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model that is made already."""
    return JSONResponse(model.model_dump(mode="json"), status, headers)
