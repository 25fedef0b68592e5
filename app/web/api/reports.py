"""Reports over the API: what was sent is checked against the record, which takes a while."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from app.audit import exports
from app.audit.verdicts import Verdict
from app.campaigns.snapshot import snapshot
from app.catalogue import Catalogue
from app.domain.campaign import check_name
from app.web.api.answers import json, problems, streams, wanted
from app.web.api.campaigns import Sees
from app.web.api.gate import PREFIX
from app.web.api.models import Model, Name, Reason
from app.web.downloads import CSV, streamed
from app.web.house import house_of
from app.web.languages import catalogue_of
from app.web.problems import code_of
from app.web.reports import Order

router = APIRouter(tags=["reports"])

ReportId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As the answer to its order has it.")]


class ReportState(StrEnum):
    """How far it is."""

    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class CheckedTask(Model):
    """One task of the campaign."""

    task: int
    sent: int = Field(description="In its log, or in rows of messages that the gateway said it has.")
    rejected: int
    late: int = Field(description="Who was not there yet when their turn passed.")
    agrees: bool
    whole: bool = Field(description="Nothing of it lies on another host, where it was not looked at.")
    differences: list[Reason]


class Checked(Model):
    """What was found."""

    agrees: bool
    agrees_so_far: bool = Field(description="Nothing differs but that it is not finished.")
    late: int
    tasks: list[CheckedTask]


class Report(Model):
    """The check of a campaign. It is kept until the web process ends, the newest hundred."""

    id: str
    campaign: str
    state: ReportState
    ordered_by: str
    ordered_at: datetime
    ended_at: datetime | None
    why_not: Reason | None = Field(description="Where it failed.")
    result: Checked | None

    @classmethod
    def of(cls, order: Order, words: Catalogue) -> "Report":
        why = order.why_not
        state = ReportState.READY if order.verdict else ReportState.FAILED if order.is_ready else ReportState.RUNNING
        return cls(
            id=order.id,
            campaign=order.campaign,
            state=state,
            ordered_by=order.by,
            ordered_at=order.ordered_at,
            ended_at=order.ended_at,
            why_not=Reason(code=code_of(why), detail=words.word(why)) if why else None,
            result=_checked(order.verdict, words) if order.verdict else None,
        )


def _checked(found: Verdict, words: Catalogue) -> Checked:
    return Checked(
        agrees=found.agrees,
        agrees_so_far=found.agrees_so_far,
        late=found.late,
        tasks=[
            CheckedTask(
                task=each.task,
                sent=each.sent,
                rejected=each.rejected,
                late=each.late,
                agrees=each.agrees,
                whole=each.is_whole,
                differences=[Reason(code=one.code, detail=words.word(one)) for one in each.differences],
            )
            for each in found.tasks
        ],
    )


@router.post("/campaigns/{name}/reports", operation_id="orderReport", status_code=202, response_model=Report,
             responses=problems(404, 410))  # fmt: skip
async def order_report(request: Request, name: Name, by: Sees) -> Response:
    """Have what was sent checked against the record, message by message: `Location` says where the report is, now while
    it is made and later. One campaign is checked once at a time: whoever asks meanwhile gets that one."""
    house = house_of(request)

    def look() -> str:
        campaign = snapshot(house.database, check_name(name)).campaign
        campaign.check_whole()
        return campaign.name

    order = house.reports.order(await house.threads.run(look), by)
    return json(Report.of(order, catalogue_of(request)), 202, {"location": f"{PREFIX}/reports/{order.id}"})


@router.get("/reports/{report_id}", operation_id="getReport", response_model=Report,
            responses=streams(404))  # fmt: skip
async def get_report(request: Request, report_id: ReportId, by: Sees) -> Response:
    """How far it is, and what was found; once it is ready also, with `Accept: text/csv` or `application/x-ndjson`, a
    line for each task."""
    house, words = house_of(request), catalogue_of(request)
    order, kind = house.reports.find(report_id), wanted(request)
    if order.verdict is None or not kind:
        return json(Report.of(order, words))
    said = [" ".join(map(words.word, each.differences)) for each in order.verdict.tasks]
    made = exports.report(order.verdict, said)
    return streamed(request, made.as_csv() if kind == CSV else made.as_ndjson(), kind, f"{order.campaign}-report.csv")
