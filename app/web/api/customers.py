"""Single customers over the API: who was rejected, what became of each message, and what one number got."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from app.audit import exports, find_messages, ledger_rows
from app.audit.find_messages import Found
from app.audit.ledger_rows import Row
from app.campaigns.snapshot import whole_snapshot
from app.domain.campaign import LOG
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all, normalise
from app.domain.reject import Reason, Reject
from app.errors import BadNumber, NoLedger, UnknownMessage
from app.store import opt_outs, rejects
from app.store.campaigns import Campaign
from app.web.api.answers import Limit, json, lines, problems, streams, wanted
from app.web.api.campaigns import Sees
from app.web.api.models import CustomerId, Model, Name
from app.web.downloads import CSV, streamed
from app.web.house import house_of

HIGHEST_ID = 2**32 - 1

router = APIRouter(tags=["customers"])


class _MessageIds(StringConvertor):
    """What looks like an id; so `search` beside them is none, and has its own method alone."""

    regex = "[0-9]{1,10}-[0-9]{1,10}"


register_url_convertor("message_id", _MessageIds())

MessageId = Annotated[str, Path(pattern="^[0-9]{1,10}-[0-9]{1,10}$", description="As lists and searches have it.")]

After = Annotated[
    int, Query(alias="cursor", ge=0, le=HIGHEST_ID, description="`next` of the page before: a customer's id.")
]


class Rejected(Model):
    """Who was not greeted, and why."""

    customer_id: CustomerId
    reason: Reason


class RejectedPage(Model):
    """Some of them, by id."""

    rejects: list[Rejected]
    next: int | None


class Message(Model):
    """What became of one customer's message."""

    id: str = Field(description="For /messages/{id}.", examples=["7-1"])
    customer_id: CustomerId
    mobile: str = Field(description="Masked.", examples=["138****0001"])
    parts: int
    state: Delivery
    provider_id: str
    error: str
    submitted_at: datetime | None
    final_at: datetime | None

    @classmethod
    def of(cls, campaign_id: int, row: Row) -> "Message":
        return cls(
            id=f"{campaign_id}-{row.customer_id}",
            customer_id=row.customer_id,
            mobile=mask_all(str(row.mobile)),
            parts=row.parts,
            state=row.state,
            provider_id=row.provider_id,
            error=row.error,
            submitted_at=row.submitted_at,
            final_at=row.final_at,
        )


class MessagePage(Model):
    """Some of them, by customer."""

    messages: list[Message]
    next: int | None


class Search(Model):
    """Whose messages; a number in the body of a request stands in no log of addresses."""

    number: str = Field(max_length=40, examples=["13800000001"])


class FoundMessage(Model):
    """A campaign in which there is a message to the number."""

    campaign: str
    gateway: str
    message: Message

    @classmethod
    def of(cls, campaign: Campaign, row: Row) -> "FoundMessage":
        return cls(campaign=campaign.name, gateway=campaign.gateway, message=Message.of(campaign.id, row))


class FoundMessages(Model):
    """What a number got. Messages in logs are not looked for, for all of these would have to be read."""

    number_id: str = Field(description="Stands for the number, as under /opt-outs.")
    found: list[FoundMessage]
    opted_out: list[str] = Field(description="Signatures under which the number gets nothing; * is all.")


@router.get("/campaigns/{name}/rejects", operation_id="listRejects", response_model=RejectedPage,
            responses=streams(404, 410))  # fmt: skip
async def list_rejects(
    request: Request, name: Name, by: Sees, reason: Reason | None = None, after: After = 0, limit: Limit = 100
) -> Response:
    """Who was not greeted, by id, a page at a time; or, with `Accept: application/x-ndjson` or `text/csv`, all, a line
    each."""
    house = house_of(request)
    now = await house.threads.run(whole_snapshot, house.database, name)

    def page(after_id: int, most: int) -> list[Rejected]:
        with house.database.connect() as connection:
            found = rejects.between(connection, now.campaign.id, None, after_id, HIGHEST_ID, most, reason)
        return list(map(_rejected, found))

    if wanted(request) == CSV:
        made = exports.rejected(house.database, now, reason, after)
        return streamed(request, made.as_csv(), CSV, f"{now.campaign.name}-rejects.csv")
    if wanted(request):
        return lines(request, _pages(page, after))
    found = await house.threads.run(page, after, limit)
    return json(RejectedPage(rejects=found, next=_next(found, limit)))


def _rejected(found: Reject) -> Rejected:
    return Rejected(customer_id=found.customer_id, reason=found.reason)


def _pages(page, after_id: int) -> Iterator[list[Rejected]]:  # type: ignore[no-untyped-def]
    while found := page(after_id, rejects.PAGE_ROWS):
        yield found
        after_id = found[-1].customer_id


@router.get("/campaigns/{name}/messages", operation_id="listMessages", response_model=MessagePage,
            responses=streams(404, 409, 410))  # fmt: skip
async def list_messages(
    request: Request, name: Name, by: Sees, state: Delivery | None = None, after: After = 0, limit: Limit = 100
) -> Response:
    """What became of each message of a campaign to a network, by customer, a page at a time; or, with
    `Accept: application/x-ndjson` or `text/csv`, of all of them, a line each. A campaign to logs has none: 409."""
    house = house_of(request)
    now = await house.threads.run(whole_snapshot, house.database, name)
    if now.campaign.gateway == LOG:
        raise NoLedger("no_ledger", campaign=now.campaign.name)
    of = now.campaign.id
    if wanted(request) == CSV:
        made = exports.messages(house.database, now, state, after)
        return streamed(request, made.as_csv(), CSV, f"{now.campaign.name}-messages.csv")
    if wanted(request):
        every = ledger_rows.pages(house.database, now, state, after)
        return lines(request, ([Message.of(of, row) for row in page] for page in every))

    def some() -> list[Message]:
        pages = ledger_rows.pages(house.database, now, state, after, page_rows=limit)
        return [Message.of(of, row) for row in islice((row for page in pages for row in page), limit)]

    found = await house.threads.run(some)
    return json(MessagePage(messages=found, next=_next(found, limit)))


def _next(found: list[Rejected] | list[Message], limit: int) -> int | None:
    return found[-1].customer_id if len(found) == limit else None


@router.post("/messages/search", operation_id="searchMessages", responses=problems())
async def search_messages(request: Request, wanted: Search, by: Sees) -> FoundMessages:
    """What became of the messages to one number, over all campaigns to networks, the newest first."""
    house = house_of(request)
    mobile = normalise(wanted.number)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(wanted.number))

    def look() -> tuple[list[Found], list[str]]:
        found = find_messages.in_ledgers(house.database, mobile=int(mobile), customer_id=None)
        with house.database.connect() as connection:
            return found, opt_outs.signatures_of(connection, int(mobile))

    found, signatures = await house.threads.run(look)
    number_id = (await house.threads.run(house.number_ids)).of(int(mobile))
    return FoundMessages(
        number_id=number_id,
        found=[FoundMessage.of(each.campaign, each.row) for each in found if each.row],
        opted_out=signatures,
    )


@router.get("/messages/{message_id:message_id}", operation_id="getMessage", responses=problems(404))
async def get_message(request: Request, message_id: MessageId, by: Sees) -> FoundMessage:
    """What became of one message to a network."""
    house = house_of(request)
    campaign_id, customer_id = map(int, message_id.split("-"))
    found = None
    if campaign_id < 2**31 and customer_id <= HIGHEST_ID:
        found = await house.threads.run(find_messages.one, house.database, campaign_id, customer_id)
    if found is None or found.row is None:
        raise UnknownMessage("unknown_message", id=message_id)
    return FoundMessage.of(found.campaign, found.row)
