"""Where a campaign is started: a form, what it would come to while one types, and its start."""

from contextlib import nullcontext
from dataclasses import replace

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from app.domain.rights import Right
from app.errors import AppError, BadRequest
from app.sentence import Sentence
from app.web import drafts
from app.web.drafts import Draft, Outlook
from app.web.forms import check_same_origin, fields_of
from app.web.house import house_of
from app.web.languages import catalogue_of, language_of
from app.web.pages import page
from app.web.problems import status_of
from app.web.rendering import render
from app.web.verbs import path_of
from app.web.visitor import Visitor, needs

router = APIRouter(prefix="/new", include_in_schema=False)
Starts, Ours = needs(Right.START), Depends(check_same_origin)


@router.get("")
async def new(request: Request, by: Visitor = Starts) -> Response:
    return await _form(request, Draft(gateway=house_of(request).settings.sms_gateway))


async def _form(
    request: Request, draft: Draft, outlook: Outlook | None = None, error: AppError | None = None
) -> Response:
    """What was typed stays."""
    house, words = house_of(request), catalogue_of(request)
    offered = await house.threads.run(drafts.choices, house)
    context = {"title": words.say("new.title"), "draft": draft, "offered": offered, "outlook": outlook}
    context |= {"wrong": error and drafts.field_of(error), "why": "" if error is None else words.word_error(error)}
    return page(request, "new.html", status_of(error) if error else 200, **context)


@router.post("/preview", dependencies=[Ours])
async def preview(request: Request, by: Visitor = Starts) -> Response:
    """A part of the page; what is wrong stands in it, for somebody is still typing."""
    house, words = house_of(request), catalogue_of(request)
    draft = drafts.read(await fields_of(request), house.settings.sms_gateway)
    try:
        outlook, why = await _look_ahead(request, draft), ""
    except AppError as error:
        outlook, why = None, words.word_error(error)
    return HTMLResponse(render("preview.html", language_of(request), outlook=outlook, why=why))


async def _look_ahead(request: Request, draft: Draft) -> Outlook:
    house = house_of(request)
    async with house.previewing:
        return await house.threads.run(drafts.look_ahead, house, draft)


@router.post("", dependencies=[Ours])
async def start(request: Request, by: Visitor = Starts) -> Response:
    """Or look at what it would come to, where there are no scripts."""
    house = house_of(request)
    fields = await fields_of(request)
    draft = drafts.read(fields, house.settings.sms_gateway)
    try:
        if "look" in fields:
            return await _form(request, draft, await _look_ahead(request, draft))
        async with house.sampling if draft.sample else nullcontext():
            done = await house.threads.run(drafts.start, house, draft, by.actor)
    except AppError as error:
        if error.code == "unconfirmed_cost":
            asked_of = await house.threads.run(drafts.digest, house, draft)
            draft = replace(draft, asked=str(error.sentence.facts["parts"]), asked_of=asked_of, confirm="")
            error = BadRequest("cost", **{each: error.sentence.facts[each] for each in _OF_COST})
        return await _form(request, draft, error=error)
    house.looks.forget()
    found = done.campaign
    said = Sentence("new.started", campaign=found.name, count=len(done.shards))
    house.notices.leave(by, said if done.created else Sentence("exists", campaign=found.name, state=found.state))
    return RedirectResponse(path_of(found.name), 303)


_OF_COST = ("campaign", "parts", "gateway", "sum")
