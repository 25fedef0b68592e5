"""`python -m app pause`, `resume` and `cancel`: the database is told, so they work whether the server runs or not."""

from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.campaigns import abandon as folders
from app.campaigns.control import control
from app.campaigns.snapshot import Snapshot, snapshot
from app.catalogue import say, word
from app.cli import views
from app.cli.asking import agrees, asked
from app.cli.shared import Name, opened
from app.config import Config
from app.console import out
from app.domain.campaign import LOG, ShardState, State, Verb, check_name
from app.gateways.log_file.folder import SHOWN
from app.store.customers import collect_rarely


def pause(name: Name) -> None:
    """Stop sending a campaign, within a second. It stays paused, over restarts too, until it is resumed."""
    _control(*_opened(), name, Verb.PAUSE)


def resume(
    name: Name,
    abandon: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Give up a folder of logs that will not come back, as status names it."),
    ] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Send a finished campaign to those who came too late for it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go on with a campaign that is paused or failed; logs of a failed one are compared with the database first."""
    if late and abandon is not None:
        raise typer.BadParameter("--late is for a finished campaign, --abandon for one that is not")
    settings, database = _opened()
    if late:
        _send_late(settings, database, snapshot(database, check_name(name)), yes=yes)
        return
    if abandon is None:
        now = snapshot(database, check_name(name))
        is_compared = now.campaign.state is State.FAILED and now.campaign.gateway == LOG
        if is_compared and not _agrees_to_differences(database, settings, now, yes=yes):
            raise typer.Exit(1)
        _control(settings, database, name, Verb.RESUME)
        return
    loss = folders.estimate(database, settings.sms_log_dir, name, abandon)
    tasks, folder = ", ".join(map(str, loss.shards)), loss.owner[:SHOWN]
    out.print(say("abandon", count=loss.sent, tasks=tasks, folder=folder, here=settings.sms_log_dir))
    if not (yes or agrees(say("abandon.question"))):
        raise typer.Exit(1)
    folders.abandon(database, settings.sms_log_dir, name, abandon)
    out.print(say("abandon.done", campaign=name, folder=folder))


def _send_late(settings: Config, database: Engine, now: Snapshot, *, yes: bool) -> None:
    now.campaign.check_whole()
    from app.audit.find_late import find_late  # noqa: PLC0415  only this needs it
    from app.campaigns.late_run import send_late  # noqa: PLC0415

    collect_rarely()
    with console.err.status(say("second_run.looking")):
        found = find_late(database, settings.sms_log_dir, now)
    for sentence in views.late_sentences(found.late.ids, len(found.late.not_sent), found.doubtful):
        out.print(sentence)
    if not found.late.ids:
        return
    if not (yes or asked(now.campaign.name, say("second_run.question"))):
        raise typer.Exit(1)
    number = send_late(database, settings.sms_log_dir, now, found.late)
    out.print(say("second_run.done", campaign=now.campaign.name, task=number))


def _agrees_to_differences(database: Engine, settings: Config, now: Snapshot, *, yes: bool) -> bool:
    config.tune_numpy()
    from app.audit.compare_logs import compare_logs  # noqa: PLC0415  it needs numpy

    collect_rarely()
    with console.err.status(say("differences.comparing")):
        found = compare_logs(database, settings.sms_log_dir, now)
    out.print(word(found.sentence))
    return not found or yes or asked(now.campaign.name, say("differences.question"))


def cancel(name: Name) -> None:
    """Stop sending a campaign for ever. What is sent stays sent."""
    _control(*_opened(), name, Verb.CANCEL)


def _opened() -> tuple[Config, Engine]:
    settings = config.load()
    return settings, opened(settings)


def _control(settings: Config, database: Engine, name: str, verb: Verb) -> None:
    done = control(database, settings.sms_log_dir, name, verb)
    now = done.snapshot
    if any(each.state is ShardState.SUSPECT for each in now.shards):
        out.print(say("controlled.compared_first", campaign=now.campaign.name, state=now.campaign.state))
    else:
        facts = {"campaign": now.campaign.name, "state": now.campaign.state, "sent": now.sent, "done": now.done}
        out.print(say("controlled", **facts))
    if done.still_sending:
        tasks = ", ".join(map(str, done.still_sending))
        console.err.print(say("controlled.still_sending", tasks=tasks))
