"""`python -m app prune`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app import config, console
from app.campaigns import prune as use_case
from app.campaigns.prune import Prunable, Removed
from app.catalogue import say
from app.cli import views
from app.cli.ages import age
from app.cli.asking import asked
from app.cli.shared import Yes, opened
from app.console import out
from app.gateways.log_file.folder import SHOWN


def prune(
    older_than: Annotated[
        timedelta, typer.Option(parser=age, metavar="AGE", help="For how long they are over: 90d, 12w, 48h.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Yes = False,
) -> None:
    """Remove the rows of customers and this host's logs of campaigns that are over and settled; their counts and names
    stay. Ended at any moment, the next run goes on."""
    settings = config.load()
    database = opened(settings)
    before = datetime.now(UTC) - older_than
    found = use_case.find(database, settings.sms_log_dir, before)
    if not found:
        out.print(say("prune.nothing"))
        return
    out.print(views.table([_row(each) for each in found], ("ended", "files")))
    for sentence in _elsewhere(found):
        out.print(sentence)
    whole = Removed(
        sum(each.rows for each in found), sum(len(each.files) for each in found), sum(each.bytes for each in found)
    )
    out.print(say("prune.found", count=len(found), **_facts(whole)))
    if dry_run:
        return
    if not (yes or asked("prune", say("prune.question"))):
        raise typer.Exit(1)
    rows = files = size = 0
    columns = (
        TextColumn(say("prune.removing")),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console.err, transient=True) as progress:
            task = progress.add_task("", total=whole.rows + whole.files)
            for step in use_case.prune(database, settings.sms_log_dir, found, before):
                rows, files, size = rows + step.rows, files + step.files, size + step.bytes
                progress.advance(task, step.rows + step.files)
    except KeyboardInterrupt:
        console.err.print(say("prune.stopped", **_facts(Removed(rows, files, size))))
        raise typer.Exit(130) from None
    out.print(say("prune.done", **_facts(Removed(rows, files, size))))


def _row(each: Prunable) -> dict[str, str]:
    ended = each.campaign.finished_at
    return {
        "campaign": each.campaign.name,
        "ended": f"{ended:%Y-%m-%d %H:%M} UTC" if ended else "",
        "rows": f"{each.rows:,}",
        "files": f"{len(each.files):,}",
        "megabytes": f"{each.bytes / 1e6:,.1f}",
    }


def _facts(removed: Removed) -> dict[str, float]:
    return {"rows": removed.rows, "files": removed.files, "megabytes": removed.bytes / 1e6}


def _elsewhere(found: list[Prunable]) -> list[str]:
    return [
        say("prune.elsewhere", campaign=each.campaign.name, tasks=", ".join(map(str, tasks)), folder=folder[:SHOWN])
        for each in found
        for folder, tasks in each.elsewhere.items()
    ]
