"""What a browser is given to show that somebody is logged in."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.web.house import house_of

BARE = "session"
"""For this machine alone, over HTTP. A browser keeps no cookie that is for TLS alone, as `__Host-` asks for, from where
there is none: Chromium does so for localhost, and none for 127.0.0.1."""
OVER_TLS = "__Host-session"
"""A browser takes it from this very host alone, over TLS, for all of its paths."""


def is_over_tls(request: HTTPConnection) -> bool:
    """Whether people come by way of a proxy that speaks it."""
    return bool(house_of(request).settings.sms_web_proxy)


def _name(request: HTTPConnection) -> str:
    return OVER_TLS if is_over_tls(request) else BARE


def session_of(request: HTTPConnection) -> str:
    """What they show; '' for nothing."""
    return request.cookies.get(_name(request), "")


def give(answer: Response, request: HTTPConnection, secret: str) -> None:
    """Until the browser is closed; how long it is good for is the database's to know."""
    answer.set_cookie(_name(request), secret, httponly=True, samesite="lax", secure=is_over_tls(request))


def take_back(answer: Response, request: HTTPConnection) -> None:
    """It is not shown any more."""
    answer.delete_cookie(_name(request), httponly=True, samesite="lax", secure=is_over_tls(request))
