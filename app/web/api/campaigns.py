"""Campaigns over the API: seen, started, paused, resumed and cancelled."""

from contextlib import nullcontext
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.campaigns import summary
from app.campaigns.control import control
from app.campaigns.snapshot import snapshot
from app.campaigns.spending import Spending
from app.campaigns.start import dispatch
from app.campaigns.summary import Summary
from app.domain.actor import Actor
from app.domain.campaign import State, Verb, check_name
from app.domain.choice import Sample
from app.domain.rights import Right
from app.errors import WrongState
from app.web.api.answers import IfNoneMatch, Limit, json, problems, with_etag
from app.web.api.gate import PREFIX, needs
from app.web.api.models import Campaign, Campaigns, Controlled, Counts, Name, NewCampaign, Shard, Shards, Wanted
from app.web.house import House, house_of
from app.web.languages import catalogue_of

router = APIRouter(prefix="/campaigns", tags=["campaigns"])

Sees = Annotated[Actor, needs(Right.SEE)]
Starts = Annotated[Actor, needs(Right.START)]
Controls = Annotated[Actor, needs(Right.CONTROL)]
Cursor = Annotated[str | None, Query(pattern="^[0-9]{1,18}$", description="`next` of the page before.")]

_VERBS = {State.PAUSED: Verb.PAUSE, State.RUNNING: Verb.RESUME, State.CANCELLED: Verb.CANCEL}


@router.get("", operation_id="listCampaigns")
async def list_campaigns(
    request: Request, by: Sees, state: State | None = None, cursor: Cursor = None, limit: Limit = summary.PAGE
) -> Campaigns:
    """The newest first, a page at a time."""
    house = house_of(request)

    def look() -> summary.Page:
        before = int(cursor) if cursor else None
        with house.database.connect() as connection:
            return summary.page(connection, state=state, before=before, limit=limit)

    page = await house.threads.run(look)
    words = catalogue_of(request)
    following = None if page.older is None else str(page.older)
    return Campaigns(campaigns=[Campaign.of(each, words) for each in page.campaigns], next=following)


@router.put("/{name}", operation_id="startCampaign", status_code=201, response_model=Campaign,
            responses={200: {"model": Campaign, "description": "It was there already."}, **problems(409)})  # fmt: skip
async def start_campaign(request: Request, name: Name, wanted: NewCampaign, by: Starts) -> Response:
    """Start a campaign. One name is one campaign, so the same once more starts nothing: do it again where you do not
    know whether it got there. Another text, gateway or audience under the name is refused with 409."""
    house = house_of(request)

    def start() -> tuple[bool, Summary]:
        settings = house.settings
        done = dispatch(
            house.database,
            name,
            settings.sms_shard_size,
            template=wanted.template,
            allow_duplicates=wanted.allow_duplicates,
            added_columns=settings.template_columns,
            gateway=wanted.gateway,
            default_gateway=settings.sms_gateway,
            networks=house.networks,
            template_name=wanted.template_name,
            spending=Spending(settings.sms_ask_above, wanted.confirm),
            audience=wanted.audience,
            choice=wanted.choice,
            by=by,
        )
        return done.created, _look(house, done.campaign.name)

    async with house.sampling if isinstance(wanted.choice, Sample) else nullcontext():
        created, shown = await house.threads.run(start)
    body = Campaign.of(shown, catalogue_of(request))
    location = {"location": f"{PREFIX}/campaigns/{quote(body.name)}"} if created else None
    return json(body, 201 if created else 200, location)


@router.get("/{name}", operation_id="getCampaign", response_model=Campaign,
            responses={304: {"description": "It is as you have it."}, **problems(404)})  # fmt: skip
async def get_campaign(request: Request, name: Name, by: Sees, if_none_match: IfNoneMatch = None) -> Response:
    """How far it got."""
    house = house_of(request)
    shown = await house.threads.run(_look, house, name)
    return with_etag(request, Campaign.of(shown, catalogue_of(request)))


@router.put("/{name}/state", operation_id="setState", responses=problems(404, 409, 410))
async def set_state(request: Request, name: Name, wanted: Wanted, by: Controls) -> Controlled:
    """Pause, resume or cancel it, and wait until no task sends any more, up to 5 s. Where it is so already nothing
    happens; where it cannot be, it stays as it is, with 409."""
    house = house_of(request)

    def change() -> tuple[Summary, list[int]]:
        try:
            verb = _VERBS[wanted.state]
            still = control(house.database, house.settings.sms_log_dir, name, verb, by).still_sending
        except WrongState as error:
            if error.state != wanted.state:
                raise
            still = []
        return _look(house, name), still

    shown, still_sending = await house.controlling.run(change)
    return Controlled(campaign=Campaign.of(shown, catalogue_of(request)), still_sending=still_sending)


@router.get("/{name}/shards", operation_id="listShards", responses=problems(404))
async def list_shards(request: Request, name: Name, by: Sees) -> Shards:
    """The ranges of ids that tasks send, one at a time each."""
    house = house_of(request)
    now = await house.threads.run(lambda: snapshot(house.database, check_name(name)))
    return Shards(
        shards=[
            Shard(
                number=each.number,
                after_id=each.after_id,
                to_id=each.to_id,
                last_id=each.last_id,
                state=each.state.value,
                late=each.late,
                counts=Counts.of(each.tally),
            )
            for each in now.shards
        ]
    )


def _look(house: House, name: str) -> Summary:
    """Raises BadRequest, UnknownCampaign."""
    name = check_name(name)
    with house.database.connect() as connection:
        return summary.summary(connection, name)
