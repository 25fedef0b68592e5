"""What a browser is given to show that somebody is logged in."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

BARE = "session"
"""For this machine alone, over HTTP. A browser keeps no cookie that is for TLS alone, as `__Host-` asks for, from where
there is none: Chromium does so for localhost, and none for 127.0.0.1."""


def session_of(request: HTTPConnection) -> str:
    """What they show; '' for nothing."""
    return request.cookies.get(BARE, "")


def give(answer: Response, secret: str) -> None:
    """Until the browser is closed; how long it is good for is the database's to know."""
    answer.set_cookie(BARE, secret, httponly=True, samesite="lax")


def take_back(answer: Response) -> None:
    """It is not shown any more."""
    answer.delete_cookie(BARE, httponly=True, samesite="lax")
