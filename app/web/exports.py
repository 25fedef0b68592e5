"""The page from which what is known of a campaign is taken along, as a file."""

from functools import partial

from fastapi import APIRouter, Depends, Request, Response

from app.audit import exports
from app.audit.exports import Export
from app.campaigns.snapshot import whole_snapshot
from app.domain.actor import Deed
from app.domain.campaign import LOG
from app.domain.rights import Right
from app.errors import Forbidden, NoLedger
from app.store import trail
from app.store.faults import write
from app.web.downloads import CSV, NDJSON, streamed
from app.web.forms import check_same_origin, fields_of
from app.web.house import house_of
from app.web.languages import catalogue_of
from app.web.pages import page
from app.web.visitor import Visitor, needs

router = APIRouter(include_in_schema=False)
Sees = needs(Right.SEE)


@router.get("/campaigns/{name}/export")
async def choose(request: Request, name: str, visitor: Visitor = Sees) -> Response:
    house = house_of(request)
    now = await house.threads.run(whole_snapshot, house.database, name)
    title = catalogue_of(request).say("export.of", campaign=now.campaign.name)
    return page(request, "export.html", title=title, campaign=now.campaign, has_messages=now.campaign.gateway != LOG)


@router.post("/campaigns/{name}/export", dependencies=[Depends(check_same_origin)])
async def export(request: Request, name: str, visitor: Visitor = Sees) -> Response:
    """Whole numbers for who may see them, and asks for them; the audit trail has it before one of them leaves."""
    house, fields = house_of(request), await fields_of(request)
    what = "rejects" if fields.get("what") == "rejects" else "messages"
    is_csv = fields.get("format") != "ndjson"
    is_whole = "whole" in fields and what == "messages"
    if is_whole and not visitor.may(Right.UNMASK):
        raise Forbidden("forbidden.role")

    def begin() -> tuple[str, Export]:
        now = whole_snapshot(house.database, name)
        campaign = now.campaign.name
        if what == "rejects":
            return campaign, exports.rejected(house.database, now)
        if now.campaign.gateway == LOG:
            raise NoLedger("no_ledger", campaign=campaign)
        if is_whole:
            after = {"what": what, "numbers": "whole"}
            write(
                house.database,
                partial(trail.note, by=visitor.actor, deed=Deed.EXPORT, campaign=campaign, after=after),
            )
        return campaign, exports.messages(house.database, now, masked=not is_whole)

    campaign, made = await house.threads.run(begin)
    pieces, kind, ending = (made.as_csv(), CSV, "csv") if is_csv else (made.as_ndjson(), NDJSON, "ndjson")
    return streamed(request, pieces, kind, f"{campaign}-{what}.{ending}")
