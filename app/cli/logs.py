"""`python -m app logs`."""

from typing import Annotated

import typer

from app import config, console
from app.audit.messages import Messages
from app.catalogue import word
from app.cli.shared import Masked, Name, opened
from app.domain.campaign import check_name
from app.domain.mobile import mask_all


def logs(
    name: Name,
    task: Annotated[int | None, typer.Option("--task", min=0, help="The log of one task; of all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the campaign is over.")] = False,
    masked: Masked = False,
) -> None:
    """Print the messages of a campaign as they stand in its logs, those that are on record, and say which lie on other
    hosts; the server need not run."""
    settings = config.load()
    messages = Messages(opened(settings), settings.sms_log_dir, check_name(name), task)
    try:
        for lines in messages.follow(lambda news: console.err.print(word(news))) if follow else messages.read():
            console.write(mask_all(lines.decode()).encode() if masked else lines)
        for sentence in messages.elsewhere():
            console.err.print(word(sentence))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
