"""`python -m app trigger` and `watch`: what the running server is asked for."""

from dataclasses import replace
from typing import Annotated, NoReturn

import typer

from app import catalogue, config, console
from app.catalogue import say
from app.cli.asking import asked
from app.cli.choice import OnlyIds, SampleOf, choice_of, named
from app.cli.shared import Ca, Name, OptionalAudience, OptionalTemplate, TemplateName, Tls, Yes
from app.cli.warnings import warn_of
from app.cli.watch_view import WatchView
from app.cli.watching import Watching
from app.console import out
from app.domain.campaign import State, check_name
from app.errors import Refused
from app.sentence import Sentence
from app.trigger.answers import Facts, answer_of
from app.trigger.client import Remote
from app.trigger.requests import Trigger, Watch

ANSWER_WITHIN_S = 30.0
"""Longest wait for the server's answer to a trigger."""
CHOOSING_WITHIN_S = 600.0
"""The same where the server looks for those whom it is for; of twenty million it takes a sample in some ten seconds."""


def trigger(
    name: Name,
    then_watch: Annotated[bool, typer.Option("--watch", help="Show progress until the campaign is over.")] = False,
    template: OptionalTemplate = None,
    allow_duplicates: Annotated[
        bool, typer.Option("--allow-duplicates", help="Send to every customer, also when several have one number.")
    ] = False,
    gateway: Annotated[
        str | None, typer.Option(help="By which way the messages go out, see `gateways`; SMS_GATEWAY by default.")
    ] = None,
    template_name: TemplateName = None,
    audience: OptionalAudience = None,
    only_ids: OnlyIds = None,
    sample: SampleOf = None,
    yes: Yes = False,
    tls: Tls = False,
    ca: Ca = None,
) -> None:
    """Start a campaign through the running server. The same name again starts nothing and says so."""
    settings = config.load()
    remote = Remote(settings, tls=tls, ca=ca)
    choice = choice_of(only_ids, sample)
    if template and not template.isspace():  # else it is refused
        warn_of(template)
    request = Trigger(
        check_name(name),
        template,
        then_watch,
        allow_duplicates=allow_duplicates or None,
        gateway=gateway,
        template_name=template_name,
        audience=audience,
    )
    with named(settings, choice) as chosen:
        _ask(remote, replace(request, **chosen), yes=yes)


def _ask(remote: Remote, request: Trigger, *, yes: bool) -> None:
    """And once more, where the server wants to know that somebody agrees to what it costs."""
    ask = _watch if request.then_watch else _start
    try:
        ask(remote, request)
    except Refused as error:
        if error.code != "unconfirmed_cost":
            raise
        facts = error.sentence.facts
        out.print(say("cost", **{each: facts[each] for each in ("campaign", "parts", "gateway", "sum")}))
        if not (yes or asked(request.campaign, say("cost.question"))):
            raise typer.Exit(1) from None
        ask(remote, replace(request, confirm=int(str(facts["parts"]))))


def _start(remote: Remote, request: Trigger) -> None:
    lost = Sentence("lost.may_have_started", campaign=request.campaign)
    is_for_some = request.only_ids or request.only_list or request.sample
    timeout_s = CHOOSING_WITHIN_S if is_for_some else ANSWER_WITHIN_S
    with remote.ask(request, timeout_s=timeout_s, lost=lost) as answers:
        _say_answer(next(answers))


def watch(name: Name, tls: Tls = False, ca: Ca = None) -> None:
    """Show the progress of a campaign until it is over, over restarts of the server. Ctrl-C leaves it running."""
    _watch(Remote(config.load(), tls=tls, ca=ca), Watch(check_name(name)))


def _say_answer(facts: Facts) -> None:
    try:
        answer: Sentence | None = answer_of(facts)
    except (KeyError, TypeError):  # of another version
        answer = None
    out.print(catalogue.ours().word_or(answer, str(facts["message"])))
    if isinstance(chosen := facts.get("chosen"), int):
        out.print(say("chosen", count=chosen))
        if isinstance(not_there := facts.get("not_there"), int) and not_there:
            out.print(say("chosen.not_there", count=not_there))


def _say_state(facts: Facts) -> None:
    out.print(say("watching", campaign=facts.get("campaign", ""), state=facts.get("state", "")))


def _watch(remote: Remote, request: Trigger | Watch) -> NoReturn:
    """Exit status 0 when it finished, 1 when it is over otherwise, 130 when we stop watching."""
    try:
        with WatchView() as view:
            final = Watching(remote, request, view.say).run(
                _say_state if isinstance(request, Watch) else _say_answer, view.show
            )
    except KeyboardInterrupt:
        console.err.print(say("watching.stopped", campaign=request.campaign))
        raise typer.Exit(130) from None
    if final.reason:
        out.print(catalogue.ours().word_or(final.why, final.reason))
    if State(final.state) is State.FINISHED and (count := final.tally.may_learn):
        out.print(say("watching.may_learn", count=count, campaign=final.campaign))
    raise typer.Exit(0 if final.state == State.FINISHED else 1)
