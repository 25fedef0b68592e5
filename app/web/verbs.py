"""What is done to a campaign on its page. After each the page is asked for anew, so that to reload it does nothing."""

from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from app.campaigns import retry as trying_again
from app.campaigns.control import control
from app.campaigns.snapshot import Snapshot, snapshot
from app.domain.campaign import LOG, TRANSITIONS, State, Verb, check_name
from app.domain.delivery import RETRIABLE, Delivery
from app.domain.rights import Right
from app.errors import WrongState
from app.sentence import Sentence
from app.web.forms import check_same_origin, fields_of
from app.web.house import House, house_of
from app.web.languages import catalogue_of
from app.web.pages import page
from app.web.resuming import compared
from app.web.visitor import Visitor, needs

router = APIRouter(prefix="/campaigns/{name}", include_in_schema=False)
Controls, Sees = needs(Right.CONTROL), needs(Right.SEE)
Ours = Depends(check_same_origin)
PeoplesVerb = Literal["pause", "resume", "cancel"]


def path_of(name: str) -> str:
    """The campaign's page."""
    return f"/campaigns/{quote(name, safe='')}"


async def _look(house: House, name: str) -> Snapshot:
    return await house.threads.run(lambda: snapshot(house.database, check_name(name)))


@router.get("/retry")
async def ask_for_retry(request: Request, name: str, by: Visitor = Controls) -> Response:
    now = await _look(house_of(request), name)
    trying_again.check(now, Delivery.REFUSED)
    return _retry_page(request, now)


def _retry_page(request: Request, now: Snapshot, status: int = 200, why: str = "") -> Response:
    title = catalogue_of(request).say("retry.title", campaign=now.campaign.name)
    counts = {each.value: count for each in sorted(RETRIABLE) if (count := now.tally.of(each))}
    context = {"campaign": now.campaign, "path": path_of(now.campaign.name), "counts": counts, "why": why}
    return page(request, "retry.html", status, title=title, **context)


@router.post("/retry", dependencies=[Ours])
async def retry(request: Request, name: str, by: Visitor = Controls) -> Response:
    house, fields = house_of(request), await fields_of(request)
    now = await _look(house, name)
    words = catalogue_of(request)
    state = next((each for each in RETRIABLE if each == fields.get("state")), None)
    if state is None:
        return _retry_page(request, now, 400, words.say("retry.choose"))
    if state is Delivery.UNKNOWN and "twice" not in fields:
        return _retry_page(request, now, 400, words.say("retry.twice_first"))
    trying_again.check(now, state)
    count = await house.retrying.run(lambda: trying_again.retry(house.database, now, state, by.actor))
    house.looks.forget()
    house.notices.leave(by, Sentence("retry.noted", count=count, what=Sentence(f"delivery.{state}")))
    if left := (await _look(house, name)).tally.of(state):
        house.notices.leave(by, Sentence("retry.left", count=left))
    return RedirectResponse(path_of(now.campaign.name), 303)


@router.get("/verify")
async def ask_to_verify(request: Request, name: str, by: Visitor = Sees) -> Response:
    """Who comes here comes from a login."""
    return RedirectResponse(path_of(check_name(name)), 303)


@router.post("/verify", dependencies=[Ours])
async def verify(request: Request, name: str, by: Visitor = Sees) -> Response:
    """Its page says how far it is."""
    house = house_of(request)
    now = await _look(house, name)
    now.campaign.check_whole()
    house.reports.order(now.campaign.name, by.actor)
    return RedirectResponse(path_of(now.campaign.name), 303)


@router.get("/{verb}")
async def ask(request: Request, name: str, verb: PeoplesVerb, by: Visitor = Controls) -> Response:
    """The page that asks first; where somebody comes from a button that a script or a login was in the way of."""
    house = house_of(request)
    now = await _look(house, name)
    campaign, fragment = now.campaign, None
    if campaign.state not in TRANSITIONS[Verb(verb)].start:
        raise WrongState(campaign.name, verb, campaign.state)
    if verb == "resume":
        campaign.check_whole()
        if campaign.state is State.FAILED and campaign.gateway == LOG:
            fragment = await compared(request, now)
    title, path = catalogue_of(request).say(f"verb.{verb}"), path_of(campaign.name)
    return page(request, "verb.html", title=title, campaign=campaign, path=path, verb=verb, fragment=fragment)


@router.post("/{verb}", dependencies=[Ours])
async def act(request: Request, name: str, verb: PeoplesVerb, by: Visitor = Controls) -> Response:
    """Where it is so already, as after a double click, nothing happens."""
    house, wanted = house_of(request), Verb(verb)

    def change() -> None:
        try:
            control(house.database, house.settings.sms_log_dir, name, wanted, by.actor)
        except WrongState as error:
            if error.state != TRANSITIONS[wanted].end:
                raise

    await house.controlling.run(change)
    house.looks.forget()
    return RedirectResponse(path_of(check_name(name)), 303)
