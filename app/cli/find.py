"""`python -m app find`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from app import config, console
from app.audit import find_messages
from app.audit.find_messages import Found
from app.campaigns.checked_audience import checked_audience
from app.catalogue import say
from app.cli.shared import Audience, Json, opened
from app.console import out
from app.domain.audience import CUSTOMERS
from app.domain.mobile import mask_all, normalise
from app.errors import BadNumber, UnknownCustomer
from app.sentence import Some

READ_MB_PER_S = 100
"""Of logs, about; more where the disk is idle and the logs are in memory."""


def find(
    number: Annotated[str | None, typer.Argument(help="The mobile number.")] = None,
    customer: Annotated[
        int | None, typer.Option(min=1, max=2**32 - 1, help="The customer with this id, of --audience.")
    ] = None,
    audience: Audience = CUSTOMERS,
    as_json: Json = False,
) -> None:
    """Show what became of somebody's messages in all campaigns: by the ledger, and by reading all logs, which takes its
    time, for lines that show the number; of a customer the one that they have now."""
    if (number is None) == (customer is None):
        raise typer.BadParameter("give either a number or --customer")
    settings = config.load()
    database = opened(settings)
    raw = number
    if customer is not None:
        raw = find_messages.mobile_of(database, checked_audience(database, audience), customer)
    mobile = normalise(raw) if raw else None
    if number is not None and mobile is None:
        raise BadNumber("bad_number", number=mask_all(number[:40]))
    found = find_messages.in_ledgers(
        database, mobile=int(mobile) if mobile else None, customer_id=customer, audience=audience
    )
    if customer is not None and raw is None and not found:
        raise UnknownCustomer(customer)
    if mobile and (size := find_messages.logs_size(database)):
        console.err.print(say("find.reading", megabytes=size / 1e6, seconds=size / 1e6 / READ_MB_PER_S))
        found += find_messages.in_logs(database, settings.sms_log_dir, mobile)
    if as_json:
        console.print_json(_facts(found))
    else:
        for each in found:
            out.print(_sentence(each))
        if not found:
            out.print(say("find.nothing"))
        if others := find_messages.not_read(database, settings.sms_log_dir) if mobile else []:
            out.print(say("find.elsewhere", count=len(others), campaigns=Some(others)))
        if removed := find_messages.pruned(database):
            out.print(say("find.pruned", count=len(removed), campaigns=Some(removed)))


def _sentence(found: Found) -> str:
    name, row = found.campaign.name, found.row
    if row is not None:
        at = f"{row.submitted_at:%Y-%m-%d %H:%M:%S} UTC" if row.submitted_at else ""
        facts = {"gateway": found.campaign.gateway, "id": row.customer_id, "at": at, "error": row.error}
        return say("find.in_ledger", campaign=name, what=say(f"delivery.{row.state}"), **facts).rstrip(" ,")
    if found.reject is not None:
        return say("find.rejected", campaign=name, reason=found.reject.value)
    return say("find.in_log", campaign=name, count=found.lines)


def _facts(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [
        {
            "campaign": each.campaign.name,
            "gateway": each.campaign.gateway,
            "customer_id": each.row.customer_id if each.row else None,
            "state": each.row.state.value if each.row else None,
            "provider_id": each.row.provider_id if each.row else None,
            "error": each.row.error if each.row else None,
            "submitted_at": each.row.submitted_at.isoformat() if each.row and each.row.submitted_at else None,
            "final_at": each.row.final_at.isoformat() if each.row and each.row.final_at else None,
            "rejected": each.reject.value if each.reject else None,
            "lines": each.lines,
        }
        for each in found
    ]
