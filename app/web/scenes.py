"""The fragments that change while somebody looks, each by what it looks at and its template."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config import Language
from app.domain.campaign import LOG
from app.domain.delivery import Delivery
from app.domain.tally import Tally
from app.errors import ConfigError
from app.gateways.accounts import Account
from app.store.campaigns import Campaign
from app.web.chart import Chart, chart_of
from app.web.rendering import render
from app.web.views import Campaigns, CampaignsView, CampaignView, OneCampaign, System, SystemView

if TYPE_CHECKING:
    from app.web.house import House

IN_DOUBT_OR_ON_THE_WAY = (Delivery.SUBMITTING, Delivery.RETRY, Delivery.REFUSED, Delivery.UNKNOWN)
RECEIPTS = (Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.ACCEPTED, Delivery.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CampaignsScene:
    """The list."""

    house: "House"
    view: CampaignsView

    async def show(self, seen: Campaigns, language: Language) -> str:
        """See live.Scene."""
        return render(
            "campaigns_live.html",
            language,
            found=seen.page.campaigns,
            page=seen.page,
            by_state={state.value: count for state, count in seen.by_state.items()},
            chosen=self.view.state.value if self.view.state else "",
            server=await self.house.server(),
        )


@dataclass(frozen=True, slots=True)
class CampaignScene:
    """One campaign."""

    house: "House"
    view: CampaignView

    async def show(self, seen: OneCampaign, language: Language) -> str:
        """See live.Scene."""
        found, tally = seen.summary, seen.summary.tally
        return render(
            "campaign_live.html",
            language,
            found=found,
            campaign=found.campaign,
            parts=parts_of(found.campaign, tally),
            waiting=waiting(tally),
            tally=tally,
            receipts=[(each.value, tally.of(each)) for each in RECEIPTS] if tally.states else [],
            reasons=seen.reasons,
            chart=course(seen, time.time()),
            shards=seen.shards,
            report=self.house.reports.newest(found.campaign.name),
            more_shards=found.sums.count - len(seen.shards),
            server=await self.house.server(),
        )


@dataclass(frozen=True, slots=True)
class SystemScene:
    """Who works, and by which ways messages go out."""

    house: "House"
    view: SystemView

    async def show(self, seen: System, language: Language) -> str:
        """See live.Scene."""
        accounts: dict[str, Account] = {}
        problem = None
        try:
            accounts = await self.house.accounts()
        except ConfigError as error:
            problem = error.sentence
        return render(
            "system_live.html",
            language,
            seen=seen,
            accounts=accounts,
            problem=problem,
            findings=self.house.checkup.latest(),
            server=await self.house.server(),
        )


def parts_of(campaign: Campaign, tally: Tally) -> list[tuple[str, int]]:
    """What became of everybody, by codes of columns and deliveries; without those who wait. Pure."""
    if campaign.gateway == LOG:
        parts = [("column.sent", tally.sent)]
    else:
        parts = [("column.sent", tally.taken)]
        parts += [(f"delivery.{each}", tally.of(each)) for each in IN_DOUBT_OR_ON_THE_WAY if tally.of(each)]
    return [*parts, ("column.rejected", tally.rejected), ("column.gone", tally.gone)]


def waiting(tally: Tally) -> int | None:
    """Those of the audience whose turn has not come; None until it is counted. Pure."""
    return None if tally.audience is None else tally.audience - tally.met - tally.gone


def course(seen: OneCampaign, now_s: float) -> Chart | None:
    """The rate from the trigger to the end, or to now. Pure."""
    campaign = seen.summary.campaign
    until_s = campaign.finished_at.timestamp() if campaign.finished_at else now_s
    begun_s = campaign.created_at.timestamp()
    between = [(float(each.at_s), each.sent) for each in seen.samples if begun_s < each.at_s < until_s]
    last = [(until_s, seen.summary.sent)] if campaign.finished_at else []
    return chart_of([(begun_s, 0), *between, *last])
