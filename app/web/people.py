"""One person: what became of their messages, their whole number, and whether they want none. By forms alone, so that no
number stands in an address."""

from contextlib import nullcontext

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from app.audit.unmasking import unmask
from app.campaigns import opt_outs
from app.domain.rights import Right
from app.errors import AppError, BadNumber, BadRequest, ConfigError, TooBusy
from app.sentence import Sentence
from app.store.opt_outs import EVERYBODY
from app.web.forms import check_same_origin, fields_of
from app.web.house import House, house_of
from app.web.languages import catalogue_of
from app.web.pages import page
from app.web.person import Person, look_up
from app.web.problems import status_of
from app.web.visitor import Visitor, needs

router = APIRouter(prefix="/people", include_in_schema=False)
Sees, Unmasks, Changes = needs(Right.SEE), needs(Right.UNMASK), needs(Right.OPT_OUTS)
Ours = Depends(check_same_origin)


@router.get("")
@router.get("/unmask")
@router.get("/opt-outs")
async def people(request: Request, by: Visitor = Sees) -> Response:
    """Who comes to one of the others comes from a login, and asks again."""
    if request.url.path != "/people":
        return RedirectResponse("/people", 303)
    return await _page(request)


async def _page(
    request: Request,
    person: Person | None = None,
    *,
    whole: str = "",
    said: Sentence | None = None,
    error: AppError | None = None,
) -> Response:
    words = catalogue_of(request)
    context: dict[str, object] = {"title": words.say("page.people"), "person": person, "whole": whole, "said": said}
    context["signatures"] = await _signatures(house_of(request)) if person else []
    why = words.word_error(error) if error else ""
    return page(request, "people.html", status_of(error) if error else 200, why=why, **context)


async def _signatures(house: House) -> list[str]:
    """Those that gateways have, after the one that stands for all."""
    try:
        return [EVERYBODY, *sorted({each.opt_out_key for each in (await house.accounts()).values()})]
    except ConfigError:
        return [EVERYBODY]


async def _find(request: Request, fields: dict[str, str], *, in_logs: bool = False) -> Person:
    """Raises TooBusy where somebody reads the logs already: a search that nobody waits for any more goes on."""
    house, wanted = house_of(request), fields.get("who", "")
    if in_logs and house.searching.locked():
        raise TooBusy("too_busy.logs")
    async with house.searching if in_logs else nullcontext():
        return await house.threads.run(
            lambda: look_up(house.database, house.settings.sms_log_dir, wanted, in_logs=in_logs)
        )


@router.post("", dependencies=[Ours])
async def find(request: Request, by: Visitor = Sees) -> Response:
    try:
        fields = await fields_of(request)
        return await _page(request, await _find(request, fields, in_logs="logs" in fields))
    except AppError as error:
        return await _page(request, error=error)


@router.post("/unmask", dependencies=[Ours])
async def show_number(request: Request, by: Visitor = Unmasks) -> Response:
    """The whole number of one person, who was found before."""
    house = house_of(request)
    try:
        person = await _find(request, await fields_of(request))
        if not person.mobile:
            raise BadNumber("bad_number.none")
        whole = await house.threads.run(unmask, house.database, person.mobile, person.customer_id, by.actor)
    except AppError as error:
        return await _page(request, error=error)
    return await _page(request, person, whole=whole)


@router.post("/opt-outs", dependencies=[Ours])
async def change_opt_out(request: Request, by: Visitor = Changes) -> Response:
    """They get nothing more, or messages again; once more changes nothing."""
    house, fields = house_of(request), await fields_of(request)
    signature, is_added = fields.get("signature") or EVERYBODY, fields.get("do") != "remove"
    try:
        person = await _find(request, fields)
        if not person.mobile:
            raise BadNumber("bad_number.none")
        if signature not in [*await _signatures(house), *(each for each, _ in person.opted_out)]:
            raise BadRequest("unknown_signature", signature=signature[:64])
        change = opt_outs.add if is_added else opt_outs.remove
        count = await house.threads.run(change, house.database, signature, int(person.mobile), by.actor)
        person = await _find(request, fields)
    except AppError as error:
        return await _page(request, error=error)
    said = Sentence("opt_outs.added" if is_added else "opt_outs.removed", count=count)
    return await _page(request, person, said=said)
