"""`python -m app trigger` and `watch`: what the running server is asked for."""

from typing import Annotated, NoReturn

import typer

from app import config, console
from app.cli.shared import Ca, Name, OptionalTemplate, Tls
from app.cli.warnings import warn_of
from app.cli.watch_view import WatchView
from app.cli.watching import Watching
from app.console import out
from app.domain.campaign import State, check_name
from app.trigger.client import Remote
from app.trigger.requests import Trigger, Watch

ANSWER_WITHIN_S = 30.0
"""Longest wait for the server's answer to a trigger."""


def trigger(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Show progress until the campaign is over.")] = False,
    template: OptionalTemplate = None,
    allow_duplicates: Annotated[
        bool, typer.Option("--allow-duplicates", help="Send to every customer, also when several have one number.")
    ] = False,
    tls: Tls = False,
    ca: Ca = None,
) -> None:
    """Start a campaign through the running server. The same name again starts nothing and says so."""
    remote = Remote(config.load(), tls=tls, ca=ca)
    if template and not template.isspace():  # else it is refused
        warn_of(template)
    request = Trigger(check_name(name), template, watch, allow_duplicates=allow_duplicates or None)
    if watch:
        _watch(remote, request)
    lost = f"it may have started: python -m app status {request.campaign}"
    with remote.ask(request, timeout_s=ANSWER_WITHIN_S, lost=lost) as answers:
        out.print(next(answers)["message"])


def watch(name: Name, tls: Tls = False, ca: Ca = None) -> None:
    """Show the progress of a campaign until it is over, over restarts of the server. Ctrl-C leaves it running."""
    _watch(Remote(config.load(), tls=tls, ca=ca), Watch(check_name(name)))


def _watch(remote: Remote, request: Trigger | Watch) -> NoReturn:
    """Exit status 0 when it finished, 1 when it is over otherwise, 130 when we stop watching."""
    try:
        with WatchView() as view:
            final = Watching(remote, request, view.say).run(out.print, view.show)
    except KeyboardInterrupt:
        console.err.print(f"stopped watching; the campaign goes on, see: python -m app status {request.campaign}")
        raise typer.Exit(130) from None
    if final.reason:
        out.print(final.reason)
    raise typer.Exit(0 if final.state == State.FINISHED else 1)
