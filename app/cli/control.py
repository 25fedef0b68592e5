"""`python -m app pause`, `resume` and `cancel`: the database is told, so they work whether the server runs or not."""

import sys
from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.campaigns import abandon as folders
from app.campaigns.control import control
from app.campaigns.snapshot import Snapshot, snapshot
from app.cli import views
from app.cli.shared import Name, opened
from app.config import Config
from app.console import out
from app.domain.campaign import ShardState, State, Verb, check_name
from app.errors import Unconfirmed
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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go on with a campaign that is paused or failed; a failed one has its logs compared with the database first."""
    settings, database = _opened()
    if abandon is None:
        now = snapshot(database, check_name(name))
        if now.campaign.state is State.FAILED and not _agrees_to_differences(database, settings, now, yes=yes):
            raise typer.Exit(1)
        _control(settings, database, name, Verb.RESUME)
        return
    loss = folders.estimate(database, settings.sms_log_dir, name, abandon)
    tasks = ", ".join(map(str, loss.shards))
    out.print(
        f"{loss.sent:,} messages of task {tasks} are on record in the folder {loss.owner[: folders.SHOWN]}. Those that "
        f"do not stand in logs in {settings.sms_log_dir} are sent again, and what was sent there and is not on record."
    )
    if not (yes or _agrees("Give it up?")):
        raise typer.Exit(1)
    folders.abandon(database, settings.sms_log_dir, name, abandon)
    out.print(f"{name} is running; the folder {loss.owner[: folders.SHOWN]} is given up")


def _agrees_to_differences(database: Engine, settings: Config, now: Snapshot, *, yes: bool) -> bool:
    config.tune_numpy()
    from app.audit.compare_logs import compare_logs  # noqa: PLC0415  it needs numpy

    collect_rarely()
    with console.err.status("comparing the logs"):
        found = compare_logs(database, settings.sms_log_dir, now)
    out.print(views.differences_line(found))
    if not found or yes:
        return True
    if not sys.stdin.isatty():
        raise Unconfirmed(now.campaign.name)
    return _agrees("Go on?")


def _agrees(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:  # Ctrl-C or the end of the input
        out.print()
        return False


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
        out.print(f"{now.campaign.name} is {now.campaign.state}: its logs are compared with the database first")
    else:
        out.print(f"{now.campaign.name} is {now.campaign.state}: {now.tally.sent:,} sent, {now.done:.1%} done")
    if done.still_sending:
        tasks = ", ".join(str(number) for number in done.still_sending)
        console.err.print(f"not stopped yet: task {tasks}; what it sends now is not counted, and taken back")
