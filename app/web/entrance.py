"""Where people log in, and out."""

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from app.access.login import log_in, log_out, user_of
from app.errors import LoginRefused, TooBusy
from app.web.cookies import give, session_of, take_back
from app.web.door import page_within
from app.web.forms import MOST_BYTES_OF_STRANGERS, check_same_origin, fields_of
from app.web.house import house_of
from app.web.languages import catalogue_of
from app.web.pages import page
from app.web.problems import status_of
from app.web.views import AccessView

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login(request: Request, next: str = "/") -> Response:  # noqa: A002  in addresses it is called so
    """Who is logged in already goes on."""
    house, words, why = house_of(request), catalogue_of(request), ""
    if secret := session_of(request):
        if await house.threads.run(lambda: user_of(house.database, secret)):
            return RedirectResponse(page_within(request, next), 303)
        why = words.say("login.ended")
    elif not (await house.looks.see(AccessView())).has_accounts:
        why = words.say("login.none_yet")
    return _form(request, page_within(request, next), why=why)


def _form(request: Request, wanted: str, status: int = 200, name: str = "", why: str = "") -> Response:
    title = catalogue_of(request).say("login.title")
    return page(request, "login.html", status, title=title, next=wanted, name=name, why=why)


@router.post("/login", dependencies=[Depends(check_same_origin)])
async def enter(request: Request) -> Response:
    """A session that was there before is none any more, whoever's it was."""
    house, fields = house_of(request), await fields_of(request, MOST_BYTES_OF_STRANGERS)
    name, password = fields.get("name", ""), fields.get("password", "")
    wanted, before = page_within(request, fields.get("next", "/")), session_of(request)
    address = request.client.host if request.client else ""
    try:
        secret = await house.logging_in.run(lambda: log_in(house.database, name, password, address))
    except (LoginRefused, TooBusy) as error:
        words = catalogue_of(request)
        refusal = _form(request, wanted, status_of(error), name=name[:64], why=words.word_error(error))
        if isinstance(error, TooBusy):
            refusal.headers["retry-after"] = "5"
        return refusal
    if before:
        await house.threads.run(log_out, house.database, before)
    answer = RedirectResponse(wanted, 303)
    give(answer, request, secret)
    return answer


@router.post("/logout", dependencies=[Depends(check_same_origin)])
async def leave(request: Request) -> Response:
    house = house_of(request)
    if secret := session_of(request):
        await house.threads.run(log_out, house.database, secret)
    answer = RedirectResponse("/login", 303)
    take_back(answer, request)
    return answer
