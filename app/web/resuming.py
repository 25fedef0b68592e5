"""What a resume of a failed campaign will find in its logs, on the page that asks for it: as soon as it is known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app.campaigns.snapshot import Snapshot
from app.config import Language
from app.domain.campaign import State, check_name
from app.domain.rights import Right
from app.store.campaigns import Campaign
from app.web.comparisons import Comparing
from app.web.house import house_of
from app.web.languages import language_of
from app.web.pages import fragment, stream
from app.web.rendering import render
from app.web.views import CampaignView, OneCampaign
from app.web.visitor import Visitor, needs

if TYPE_CHECKING:
    from app.web.house import House

router = APIRouter(include_in_schema=False)
Controls = needs(Right.CONTROL)


@dataclass(frozen=True, slots=True)
class ResumeScene:
    """How far it is compared; the question, once it is."""

    house: "House"
    view: CampaignView

    async def show(self, seen: OneCampaign, language: Language) -> str:
        """See live.Scene."""
        campaign = seen.summary.campaign
        return shown(campaign, self.house.comparisons.newest(campaign.id), language)


def shown(campaign: Campaign, comparing: Comparing | None, language: Language) -> str:
    """The fragment."""
    is_over = campaign.state is not State.FAILED
    return render("resume_live.html", language, campaign=campaign, comparing=comparing, is_over=is_over)


async def compared(request: Request, now: Snapshot) -> Markup:
    """The fragment of a campaign whose logs are compared now, where they are not yet."""
    comparing = await house_of(request).comparisons.of(now)
    return Markup(shown(now.campaign, comparing, language_of(request)))  # noqa: S704  escaped


async def resume_scene(request: Request, name: str) -> ResumeScene:
    """A dependency: of the campaign that is asked for."""
    house = house_of(request)
    return ResumeScene(house, CampaignView(check_name(name), house.reasons, house.courses))


Resumed = Depends(resume_scene)


@router.get("/part/campaigns/{name}/resume")
async def resume_part(request: Request, scene: ResumeScene = Resumed, by: Visitor = Controls) -> Response:
    return HTMLResponse(await fragment(request, scene))


@router.get("/live/campaigns/{name}/resume")
async def resume_live(request: Request, scene: ResumeScene = Resumed, by: Visitor = Controls) -> Response:
    return await stream(request, scene)
