"""What happens to a campaign, as it happens: server-sent events of JSON until it is over."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from app.access.keyring import Bearer
from app.campaigns.start import look_up
from app.catalogue import Catalogue
from app.store.campaigns import Campaign as Stored
from app.web.api.answers import problems
from app.web.api.campaigns import Sees
from app.web.api.models import Campaign, Name
from app.web.house import House, house_of
from app.web.languages import catalogue_of

EVENTS = "text/event-stream"

router = APIRouter(tags=["campaigns"])

_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENTS: {"schema": {"type": "string"}, "example": 'data: {"name":"spring"}\n\n'}}}
}


@router.get("/campaigns/{name}/events", operation_id="watchCampaign", response_class=Response,
            responses=_ANSWER | problems(404))  # fmt: skip
async def watch_campaign(request: Request, name: Name, by: Sees) -> Response:
    """A campaign, as `getCampaign` has it, at each change, until it is over or the server stops; while nothing changes
    the same again every 15 s. Everybody who watches costs the database one look in two seconds, together."""
    house = house_of(request)
    found = await house.threads.run(look_up, house.database, name)
    bearer: Bearer = request.state.bearer
    house.streams.check(bearer.who)
    events = _events(house, found.campaign, bearer, catalogue_of(request))
    return StreamingResponse(events, media_type=EVENTS)


async def _events(house: House, campaign: Stored, bearer: Bearer, words: Catalogue) -> AsyncIterator[str]:
    with house.streams.place(bearer.who):
        async with aclosing(house.watchers.follow(campaign)) as snapshots:
            async for now in snapshots:
                if not await house.keys.still_holds(bearer):
                    return
                yield f"data: {Campaign.of(now, words).model_dump_json()}\n\n"
