"""`python -m app token`."""

from typing import Annotated

import typer

from app import config
from app.catalogue import say
from app.console import out
from app.trigger.token import make_token, read_token, token_file


def token(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing where there is a token already.")] = False,
) -> None:
    """Make a token that every request must bear, in a file that server and commands read; one that is there stays."""
    settings = config.load()
    if settings.sms_trigger_token.get_secret_value():
        if not quiet:
            out.print(say("token.set"))
        return
    path = token_file(settings)
    made = make_token(path)
    read_token(settings)
    if made or not quiet:
        out.print(say("token.made" if made else "token.there", path=path))
