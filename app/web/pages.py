"""The pages: what stands under which path. What moves on one is a scene, which is sent by itself as well."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, StreamingResponse

from app.domain.campaign import State, check_name
from app.domain.rights import Right
from app.errors import ConfigError
from app.web.buttons import buttons
from app.web.cookies import is_over_tls
from app.web.door import may_stay, page_within
from app.web.forms import MOST_BYTES_OF_STRANGERS, check_same_origin, fields_of
from app.web.house import house_of
from app.web.languages import COOKIE, catalogue_of, known, language_of
from app.web.live import Scene
from app.web.rendering import render
from app.web.scenes import CampaignScene, CampaignsScene, SystemScene
from app.web.views import CampaignsView, CampaignView, SystemView
from app.web.visitor import Visitor, needs, visitor_in

router = APIRouter(include_in_schema=False)
A_YEAR_S = 365 * 86_400
STREAM = {"cache-control": "no-store", "x-accel-buffering": "no"}
Id = Annotated[int | None, Query(ge=0, le=2**31)]


async def campaigns_scene(
    request: Request, state: State | None = None, before: Id = None, after: Id = None
) -> CampaignsScene:
    """A dependency: the list that is asked for."""
    return CampaignsScene(house_of(request), CampaignsView(state, before, None if before is not None else after))


async def campaign_scene(request: Request, name: str) -> CampaignScene:
    """The campaign that is asked for."""
    house = house_of(request)
    return CampaignScene(house, CampaignView(check_name(name), house.reasons, house.courses))


async def system_scene(request: Request) -> SystemScene:
    """The only one."""
    house = house_of(request)
    return SystemScene(house, SystemView(house.facts))


async def fragment(request: Request, scene: Scene) -> str:
    """What the scene shows now."""
    seen = await house_of(request).looks.see(scene.view)
    return await scene.show(seen, language_of(request))


async def live_page(request: Request, scene: Scene, title: str) -> Response:
    """The page around a scene, whole."""
    return page(request, "live.html", title=title, fragment=Markup(await fragment(request, scene)))  # noqa: S704  escaped


def page(request: Request, template: str, status: int = 200, **context: object) -> Response:
    """One without anything that moves."""
    query = f"?{request.url.query}" if request.url.query else ""
    here = request.scope["raw_path"].decode("ascii", "replace") + query
    visitor = visitor_in(request.scope)
    known = {"here": here, "visitor": visitor, "notices": house_of(request).notices.take(visitor)}
    return HTMLResponse(render(template, language_of(request), **known, **context), status)


async def stream(request: Request, scene: Scene) -> Response:
    """The scene from now on, as server-sent events. What cannot be looked at now is a problem at once."""
    house, visitor = house_of(request), visitor_in(request.scope)
    whose = visitor.session or visitor.address if visitor else ""
    house.streams.check(whose)
    await house.looks.see(scene.view)
    events = _while_let_in(request, whose, house.live.follow(scene, language_of(request)))
    return StreamingResponse(events, media_type="text/event-stream", headers=STREAM)


async def _while_let_in(request: Request, whose: str, events: AsyncGenerator[str]) -> AsyncIterator[str]:
    with house_of(request).streams.place(whose):
        async with aclosing(events):
            async for each in events:
                if not await may_stay(request):
                    return
                yield each


Sees = needs(Right.SEE)
List, One, Machines = Depends(campaigns_scene), Depends(campaign_scene), Depends(system_scene)


@router.get("/")
async def campaigns(request: Request, scene: CampaignsScene = List) -> Response:
    return await live_page(request, scene, catalogue_of(request).say("page.campaigns"))


@router.get("/campaigns/{name}")
async def campaign(request: Request, scene: CampaignScene = One, by: Visitor = Sees) -> Response:
    seen = await house_of(request).looks.see(scene.view)
    found = seen.summary.campaign
    fragment = Markup(await scene.show(seen, language_of(request)))  # noqa: S704  escaped
    drawn = buttons(by, found)
    return page(request, "campaign.html", title=found.name, fragment=fragment, campaign=found, buttons=drawn)


@router.get("/system")
async def system(request: Request, scene: SystemScene = Machines) -> Response:
    house, title = house_of(request), catalogue_of(request).say("page.system")
    seen = await house.looks.see(scene.view)
    gateways: dict[str, bool] = {}
    with suppress(ConfigError):  # the fragment says so
        gateways = {name: name in seen.drained for name in await house.accounts()}
    fragment = Markup(await scene.show(seen, language_of(request)))  # noqa: S704  escaped
    return page(request, "system.html", title=title, fragment=fragment, gateways=gateways)


@router.get("/part/")
async def campaigns_part(request: Request, scene: CampaignsScene = List) -> Response:
    return HTMLResponse(await fragment(request, scene))


@router.get("/part/campaigns/{name}")
async def campaign_part(request: Request, scene: CampaignScene = One) -> Response:
    return HTMLResponse(await fragment(request, scene))


@router.get("/part/system")
async def system_part(request: Request, scene: SystemScene = Machines) -> Response:
    return HTMLResponse(await fragment(request, scene))


@router.get("/live/")
async def campaigns_live(request: Request, scene: CampaignsScene = List) -> Response:
    return await stream(request, scene)


@router.get("/live/campaigns/{name}")
async def campaign_live(request: Request, scene: CampaignScene = One) -> Response:
    return await stream(request, scene)


@router.get("/live/system")
async def system_live(request: Request, scene: SystemScene = Machines) -> Response:
    return await stream(request, scene)


@router.post("/language", dependencies=[Depends(check_same_origin)])
async def choose_language(request: Request) -> Response:
    fields = await fields_of(request, MOST_BYTES_OF_STRANGERS)
    answer = RedirectResponse(page_within(request, fields.get("here", "/")), 303)
    if chosen := known(fields.get("language", "")):
        answer.set_cookie(COOKIE, chosen, max_age=A_YEAR_S, httponly=True, samesite="lax", secure=is_over_tls(request))
    return answer
