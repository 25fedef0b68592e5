"""Asks who somebody is before a page is shown, as soon as there are accounts; who is not logged in is led to where one
does that, and from there back to the page that they wanted."""

from urllib.parse import quote, unquote, urlsplit

from fastapi import Request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.keyring import Bearer
from app.access.login import user_of
from app.access.tokens import hashed
from app.domain.rights import Right
from app.sentence import Sentence
from app.web.api.gate import token_of
from app.web.cookies import is_over_tls, session_of
from app.web.forms import path_within
from app.web.house import House, house_of
from app.web.problems import answer, problem
from app.web.views import AccessView
from app.web.visitor import Visitor, visitor_in

OPEN = ("/api/", "/health/", "/static/")
"""What begins so asks by itself, or is for everybody."""
OPEN_PAGES = frozenset({"/login", "/language"})
METRICS = "/metrics"
"""For programs of this machine; where others come by a proxy, for those that bear a token which may read."""
BY_ITSELF = ("/part/", "/live/")
"""What a page asks for while nobody does anything."""


class Door:
    """Around the application; paths that are not known to be open are closed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OPEN) or scope["path"] in OPEN_PAGES:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if scope["path"] == METRICS:
            await self._measured(request, receive, send)
            return
        try:
            visitor = await _visitor(request)
        except DBAPIError as error:
            await (await answer(request, error))(scope, receive, send)
            return
        if visitor is None:
            await _turned_away(request)(scope, receive, send)
            return
        scope.setdefault("state", {})["visitor"] = visitor
        await self._app(scope, receive, send)

    async def _measured(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            is_let_in = await _may_measure(request)
        except DBAPIError as error:
            await (await answer(request, error))(request.scope, receive, send)
            return
        if is_let_in:
            await self._app(request.scope, receive, send)
        else:
            refusal = problem(request.scope, 401, Sentence("http.no_token"), {"www-authenticate": "Bearer"})
            await refusal(request.scope, receive, send)


async def _may_measure(request: Request) -> bool:
    if not is_over_tls(request):
        return True
    bearer = await house_of(request).keys.bearer(token_of(request.headers))
    return bearer is not None and bearer.may(Right.SEE)


async def _visitor(request: Request) -> Visitor | None:
    house, address = house_of(request), request.client.host if request.client else ""
    secret = session_of(request)
    if secret:
        is_there = not request.url.path.startswith(BY_ITSELF)
        user = await house.threads.run(lambda: user_of(house.database, secret, is_there=is_there))
        if user:
            return Visitor(user.name, user.role, hashed(secret), address)
    return None if (await house.looks.see(AccessView())).has_accounts else Visitor(address=address)


def _turned_away(request: Request) -> Response:
    """A page that renews itself is told so, and does the rest."""
    path = request.scope["raw_path"].decode("ascii", "replace")
    if path.startswith(BY_ITSELF):
        return problem(request.scope, 401, Sentence("http.no_session"))
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    return RedirectResponse("/login" if path + query == "/" else f"/login?next={quote(path + query, safe='/')}", 303)


def page_within(request: Request, text: str) -> str:
    """Where somebody is led back to: a page of ours that can be read; the first one for anything else, such as what a
    form is sent to."""
    where = path_within(text)
    path = unquote(urlsplit(where).path)
    asked = {**request.scope, "method": "GET", "path": path}
    is_page = not path.startswith((*OPEN, *BY_ITSELF)) and path != METRICS
    can_be_read = is_page and any(each.matches(asked)[0] is Match.FULL for each in request.app.routes)
    return where if can_be_read else "/"


async def may_stay(request: Request) -> bool:
    """Whether who was let in when they asked, by a session or a token, would be let in now. While the database is away
    they stay."""
    house, visitor = house_of(request), visitor_in(request.scope)
    bearer: Bearer | None = request.scope.get("state", {}).get("bearer")
    try:
        if bearer is not None:
            return await house.keys.still_holds(bearer)
        return visitor is None or await _is_still_in(house, visitor)
    except SQLAlchemyError:
        return True


async def _is_still_in(house: House, visitor: Visitor) -> bool:
    """Whether who was let in some time ago would be let in now, or a second ago."""
    access = await house.looks.see(AccessView())
    return visitor.session in access.sessions if visitor.session else not access.has_accounts
