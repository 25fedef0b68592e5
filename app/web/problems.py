"""What goes wrong, as application/problem+json (RFC 9457): a status, a code for programs, a sentence for people."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from app import errors
from app.errors import AppError
from app.sentence import Sentence
from app.store.faults import may_pass, number_of, reason
from app.store.trouble import trouble
from app.web.house import house_of
from app.web.languages import catalogue_of, language_of
from app.web.rendering import render
from app.web.visitor import visitor_in

log = logging.getLogger(__name__)

_STATUS: dict[int, tuple[type[AppError], ...]] = {
    403: (errors.Forbidden, errors.LoginRefused),
    404: (
        errors.UnknownCampaign,
        errors.UnknownTask,
        errors.UnknownCustomer,
        errors.UnknownNumber,
        errors.UnknownGateway,
        errors.UnknownReport,
        errors.UnknownMessage,
        errors.UnknownUser,
        errors.UnknownToken,
    ),
    400: (errors.BadRequest, errors.BadNumber),
    409: (
        errors.WrongState,
        errors.NotFinished,
        errors.NotRetriable,
        errors.NoLedger,
        errors.NotTried,
        errors.OtherRequest,
    ),
    410: (errors.Pruned,),
    503: (
        errors.DatabaseUnavailable,
        errors.SchemaOutdated,
        errors.ServerUnreachable,
        errors.ConfigError,
        errors.TooBusy,
        errors.GatewayAway,
    ),
}
_UNPROCESSABLE = frozenset({"same_key.other_body"})
_CONFLICTS = frozenset(
    {"other_template", "other_gateway", "other_audience", "other_customers", "unconfirmed_cost", "cost"}
)
"""Requests that are well as such, but what is there, or what it costs, speaks against them."""


def status_of(error: AppError) -> int:
    """The status of an error of ours; 500 for one that nobody expects here."""
    if error.code in _CONFLICTS:
        return 409
    if error.sentence.code in _UNPROCESSABLE:
        return 422
    return next((status for status, kinds in _STATUS.items() if isinstance(error, kinds)), 500)


class TooLarge(Exception):
    """A body grew longer than it may be; who reads it raises this."""


MOST_BODY_BYTES = 2**20
"""Of a request; a template has 24 KB at most where JSON escapes each letter."""
FOR_PROGRAMS = ("/api/", "/health/", "/metrics")


def problem(scope: Scope, status: int, why: Sentence, headers: dict[str, str] | None = None) -> Response:
    """The answer, in the language of who asked; a page to who asked for one."""
    connection = HTTPConnection(scope)
    words = catalogue_of(connection).word(why)
    if "text/html" in connection.headers.get("accept", "") and not scope["path"].startswith(FOR_PROGRAMS):
        known: dict[str, object] = {"visitor": visitor_in(scope), "notices": [], "here": "/"}
        text = render("error.html", language_of(connection), title=str(status), why=words, **known)
        return HTMLResponse(text, status, headers)
    facts = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": words}
    return JSONResponse({**facts, "code": code_of(why)}, status, headers, media_type="application/problem+json")


def code_of(why: Sentence) -> str:
    return why.code.removeprefix("http.") if why.kind == "http" else why.kind


def see_to_errors(app: FastAPI) -> None:
    """Whatever is raised while a request is answered becomes a problem. What nobody expected is logged by who serves,
    with its traceback."""
    for kind in (AppError, DBAPIError, RequestValidationError, HTTPException, TooLarge, Exception):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(ClientDisconnect, _to_nobody)


async def _to_nobody(_: Request, __: Exception) -> Response:
    """Who left before all was asked is nobody's fault, and gets nothing of this."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def answer(request: Request, error: Exception) -> Response:
    """The problem that an error is."""
    if isinstance(error.__cause__, TooLarge):  # the framework takes what breaks off a body for one that it cannot read
        error = error.__cause__
    if isinstance(error, AppError):
        return problem(request.scope, status_of(error), error.sentence)
    if isinstance(error, DBAPIError):
        return _of_database(request, error)
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][1:]))
        return problem(request.scope, 422, Sentence("http.invalid", field=where, why=first["msg"]))
    if isinstance(error, HTTPException):
        return problem(request.scope, error.status_code, _refusal(error.status_code), dict(error.headers or {}))
    if isinstance(error, TooLarge):
        return problem(request.scope, 413, Sentence("http.too_large", most=MOST_BODY_BYTES), {"connection": "close"})
    return problem(request.scope, 500, Sentence("http.broken"))


def _of_database(request: Request, error: DBAPIError) -> Response:
    """A text of the driver that we do not know may quote the statement, and in it somebody's number: neither who asks
    nor the log gets it."""
    if not may_pass(error):
        log.error("request failed, the database refused its statement", extra={"error": number_of(error)})
        return problem(request.scope, 500, Sentence("http.broken"))
    found = trouble(error, house_of(request).settings.database_url.get_secret_value())
    why = reason(error) if found.is_known else number_of(error)
    log.warning("request not answered, the database is away", extra={"error": why})
    return problem(request.scope, 503, Sentence(found.said.code, **{**found.said.facts, "text": why}))


def _refusal(status: int) -> Sentence:
    """What the framework means by a status."""
    if status == 404:
        return Sentence("http.not_found")
    if status == 405:
        return Sentence("http.wrong_method")
    return Sentence("http.refused", why=HTTPStatus(status).phrase)
