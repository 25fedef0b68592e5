"""`python -m app preview`."""

from typing import Annotated

import typer

from app import config, console
from app.campaigns.checked_audience import checked_audience
from app.campaigns.checked_template import text_of
from app.campaigns.preview import preview as look_ahead
from app.catalogue import say
from app.cli.choice import OnlyIds, SampleOf, choice_of, chosen
from app.cli.preview_view import preview_facts, preview_text
from app.cli.shared import Audience, Json, Masked, OptionalTemplate, TemplateName, opened
from app.cli.warnings import warn_of, warn_of_genders
from app.console import out
from app.domain.audience import CUSTOMERS
from app.domain.campaign import check_name
from app.domain.greeting import DEFAULT_TEMPLATE
from app.gateways.networks import outgoing


def preview(
    template: OptionalTemplate = None,
    template_name: TemplateName = None,
    customer: Annotated[
        int | None, typer.Option(min=1, max=2**32 - 1, help="Show the message of the customer with this id.")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(help="Count as this gateway sends, see `gateways`; SMS_GATEWAY by default.")
    ] = None,
    audience: Audience = CUSTOMERS,
    only_ids: OnlyIds = None,
    sample: SampleOf = None,
    campaign: Annotated[
        str, typer.Option(help="With --sample: show the one that a campaign of this name would have.")
    ] = "",
    masked: Masked = False,
    as_json: Json = False,
) -> None:
    """Show messages as they would be sent, what they cost, and an estimate for everybody. Sends nothing."""
    if campaign and sample is None:
        raise typer.BadParameter("--campaign goes with --sample")
    settings = config.load()
    added = settings.template_columns
    gateway = gateway or settings.sms_gateway
    by = outgoing(settings, gateway)
    text = text_of(by, gateway, template, template_name)
    text = DEFAULT_TEMPLATE if text is None else text
    choice = choice_of(only_ids, sample)
    database = opened(settings)
    audience = checked_audience(database, audience)
    ids, not_there = chosen(database, audience, choice, check_name(campaign) if campaign else "")
    found = look_ahead(
        database,
        text,
        customer,
        added_columns=added,
        masked=masked,
        by=by,
        audience=audience,
        ids=ids,
        template_name=template_name or "",
    )
    if template_name is None:
        warn_of(text)
    warn_of_genders(found.estimate.genders)
    if as_json:
        console.print_json(preview_facts(found, by.price if by else None, not_there))
    else:
        if not_there:
            out.print(say("chosen.not_there", count=not_there))
        out.print(preview_text(found, by.price if by else None))
