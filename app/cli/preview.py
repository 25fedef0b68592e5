"""`python -m app preview`."""

from typing import Annotated

import typer

from app import config, console
from app.campaigns.checked_audience import checked_audience
from app.campaigns.preview import preview as look_ahead
from app.cli.preview_view import preview_facts, preview_text
from app.cli.shared import Audience, Json, Masked, TemplateText, opened
from app.cli.warnings import warn_of, warn_of_genders
from app.console import out
from app.domain.audience import CUSTOMERS
from app.domain.greeting import DEFAULT_TEMPLATE
from app.gateways.networks import outgoing


def preview(
    template: TemplateText = DEFAULT_TEMPLATE,
    customer: Annotated[
        int | None, typer.Option(min=1, max=2**32 - 1, help="Show the message of the customer with this id.")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(help="Count as this gateway sends, see `gateways`; SMS_GATEWAY by default.")
    ] = None,
    audience: Audience = CUSTOMERS,
    masked: Masked = False,
    as_json: Json = False,
) -> None:
    """Show messages as they would be sent, what they cost, and an estimate for everybody. Sends nothing."""
    settings = config.load()
    added = settings.template_columns
    by = outgoing(settings, gateway or settings.sms_gateway)
    database = opened(settings)
    found = look_ahead(
        database,
        template,
        customer,
        added_columns=added,
        masked=masked,
        by=by,
        audience=checked_audience(database, audience),
    )
    warn_of(template)
    warn_of_genders(found.estimate.genders)
    if as_json:
        console.print_json(preview_facts(found, by.price if by else None))
    else:
        out.print(preview_text(found, by.price if by else None))
