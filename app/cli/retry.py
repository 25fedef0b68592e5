"""`python -m app retry`."""

from typing import Annotated

import typer

from app import config
from app.campaigns import retry as use_case
from app.campaigns.snapshot import snapshot
from app.catalogue import say
from app.cli.asking import asked
from app.cli.shared import Name, Yes, opened
from app.console import out
from app.domain.campaign import State, check_name
from app.domain.delivery import RETRIABLE, Delivery


def retry(
    name: Name,
    state: Annotated[Delivery, typer.Option("--state", help=f"Which ones: {', '.join(sorted(RETRIABLE))}.")],
    yes: Yes = False,
) -> None:
    """Have messages tried again that were refused or not delivered, or of which nobody knows what became of them; a
    campaign that is finished runs again for it."""
    database = opened(config.load())
    now = snapshot(database, check_name(name))
    count = use_case.check(now, state)
    out.print(say("retry.found", campaign=now.campaign.name, count=count, what=say(f"delivery.{state}")))
    if not count:
        return
    if state is Delivery.UNKNOWN:
        out.print(say("retry.may_send_twice"))
    if not (yes or asked(now.campaign.name, say("retry.question"))):
        raise typer.Exit(1)
    done = use_case.retry(database, now, state)
    after = snapshot(database, now.campaign.name)
    out.print(say("retry.done", campaign=now.campaign.name, count=done, state=after.campaign.state))
    if left := after.tally.of(state):
        out.print(say("retry.left", count=left))
    if after.campaign.state is State.PAUSED:
        out.print(say("retry.paused", campaign=now.campaign.name))
