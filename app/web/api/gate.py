"""Asks who it is before anything else of a request to the API is looked at, and what they may do."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.keyring import Bearer
from app.domain.actor import Actor, Via
from app.domain.rights import Right, scope_for
from app.errors import Forbidden
from app.sentence import Sentence
from app.trigger.refusals import Refusals
from app.web.house import house_of
from app.web.problems import answer, problem

PREFIX = "/api/v1"
DOCUMENT = f"{PREFIX}/openapi.json"
"""Says what there is, and nothing of anybody; it is for who has no token yet."""
BY_SIGNATURE = f"{PREFIX}/receipts/"
"""Providers have no token: they sign what they send, see app/web/pushes.py."""
_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="See `python -m app tokens`.")
"""For the document, which says by it what an operation asks for; who it is was asked by the gate."""


class Gate:
    """Around the application; what is not of the API passes by. A cookie lets nobody in here, so no other site can have
    a browser ask for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            bearer = await house_of(request).keys.bearer(token_of(Headers(scope=scope)))
        except DBAPIError as error:
            await (await answer(request, error))(scope, receive, send)
            return
        if bearer is None:
            self._refusals.note(request.client.host if request.client else "")
            refusal = problem(scope, 401, Sentence("http.no_token"), {"www-authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["bearer"] = bearer
        await self._app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    return path != DOCUMENT and not path.startswith(BY_SIGNATURE) and (path == PREFIX or path.startswith(f"{PREFIX}/"))


def token_of(headers: Headers) -> str:
    """What they show; '' for nothing."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def needs(right: Right) -> Any:
    """A dependency: who asks, as an Actor. Raises Forbidden where they may not."""

    def check(request: Request, _: Annotated[object, Depends(_TOKEN)]) -> Actor:
        bearer: Bearer = request.state.bearer
        if not bearer.may(right):
            raise Forbidden("forbidden.scope", scope=scope_for(right))
        return Actor(bearer.who, Via.API, request.client.host if request.client else "")

    return Security(check, scopes=[scope_for(right) or ""])
