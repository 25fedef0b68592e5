"""`python -m app test`: the real text, sent for real to numbers of one's own before a campaign sends it."""

from typing import Annotated

import typer

from app import config, console
from app.campaigns.checked_audience import checked_audience
from app.campaigns.checked_template import check_template, text_of
from app.campaigns.trial_message import message_of, page_of
from app.cli.gateway_trial import Tried, carry_out, number_of
from app.cli.shared import Audience, Json, OptionalTemplate, TemplateName, Yes, opened
from app.cli.warnings import warn_of
from app.domain.audience import CUSTOMERS
from app.domain.campaign import LOG
from app.errors import BadRequest, NotTried
from app.sending.trial import MOST_NUMBERS


def test(
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="NUMBER…", help="Ten at most, with blanks or commas between them."),
    ],
    more: Annotated[list[str] | None, typer.Argument(metavar="NUMBER", hidden=True)] = None,
    gateway: Annotated[
        str | None, typer.Option(help="By which way it goes out, see `gateways`; SMS_GATEWAY by default.")
    ] = None,
    template: OptionalTemplate = None,
    template_name: TemplateName = None,
    customer: Annotated[
        int | None,
        typer.Option(min=1, max=2**32 - 1, help="What this customer would read; the first who is greeted by default."),
    ] = None,
    audience: Audience = CUSTOMERS,
    wait_s: Annotated[
        float | None, typer.Option("--wait", min=0, max=3600, metavar="SECONDS", help="For receipts.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send what a customer would read to numbers of your own, after a question, and show what becomes of it. It is in
    no campaign. Exit status 1 when one of them is not taken, or not delivered."""
    settings = config.load()
    name = gateway or settings.sms_gateway
    if name == LOG:
        raise NotTried("not_tried.log")
    numbers = list(
        dict.fromkeys(number_of(each) for given in [*to, *(more or [])] for each in given.split(",") if each.strip())
    )
    if not 1 <= len(numbers) <= MOST_NUMBERS:
        raise typer.BadParameter(f"--to takes 1 to {MOST_NUMBERS} numbers")
    tried = Tried(settings, name)
    text = text_of(tried.network, name, template, template_name)
    if text is None:
        raise BadRequest("no_template", gateway=name)
    if template_name is None:
        warn_of(text)
    database = opened(settings)
    audience = checked_audience(database, audience)
    compiled = check_template(database, text, settings.template_columns, audience=audience)
    page = page_of(database, compiled, audience, customer)
    made = message_of(tried.network, page, template_name or "")
    facts, fates = carry_out(tried, database, numbers, made, wait_s=wait_s, yes=yes, as_json=as_json)
    if as_json:
        price = tried.network.price
        whole = None if price is None else price.shown(made.parts * len(numbers))
        console.print_json(facts | {"customer": made.customer_id, "cost": whole})
    raise typer.Exit(0 if all(each.is_well for each in fates) and len(fates) == len(numbers) else 1)
