"""The commands: their arguments and exit codes, nothing else."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy import Connection, Engine

from app import config, console, log_lines
from app.audit.messages import Messages
from app.audit.report import Report
from app.audit.report import report as check_logs
from app.campaigns import abandon as folders
from app.campaigns import snapshot as progress
from app.campaigns.control import control
from app.campaigns.preview import preview as look_ahead
from app.cli import views
from app.cli.preview_view import preview_facts, preview_text
from app.cli.watch_view import WatchView
from app.cli.watching import Watching
from app.config import Config
from app.console import out
from app.domain.campaign import ShardState, State, Verb, check_name
from app.domain.greeting import DEFAULT_TEMPLATE
from app.domain.mobile import mask_all
from app.errors import ServerUnreachable, Unconfirmed
from app.gateways.log_file.journal import owner_of, reserve_folder
from app.store.customers import collect_rarely
from app.store.database import open_configured
from app.store.patience import Patience
from app.store.readiness import check_ready
from app.trigger.client import Remote
from app.trigger.protocol import Trigger, Watch
from app.trigger.token import make_token, read_token, token_file
from engine import StartError

cli = console.commands("Greet every customer in the database by SMS, exactly once.")

Name = Annotated[str, typer.Argument(help="The campaign: letters, digits, - _ . and at most 64 of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Tls = Annotated[bool, typer.Option("--tls", help="Speak TLS with the server, and check its certificate.")]
Ca = Annotated[
    Path | None, typer.Option("--ca", help="Certificates, PEM, to trust the server by instead of the system's; TLS.")
]

_TEMPLATE = typer.Option(
    "--template", help="The message; {mobile}, {name}, {honorific} and columns of the table are filled in."
)
TemplateText = Annotated[str, _TEMPLATE]
OptionalTemplate = Annotated[str | None, _TEMPLATE]

SILENT_S, MOST_SILENT_S = 3, 96
"""How long the database may say nothing to the server. Its statements take milliseconds, those for a page of customers
some 50; so that work goes on within 5 s when a way that led nowhere leads there again."""
ANSWER_WITHIN_S = 30.0
"""Longest wait for the server's answer to a trigger."""


def _database(settings: Config) -> Engine:
    database = open_configured(settings)
    check_ready(database)
    return database


@cli.command()
def serve() -> None:
    """Run the server until Ctrl-C or SIGTERM. Campaigns that were under way go on by themselves."""
    # The other commands need neither an event loop nor numpy. The workers have both from their parent, for nothing: to
    # import numpy takes 0.2 s, and 15 MB of memory that they share.
    config.tune_numpy()
    from app.runners.engine import build  # noqa: PLC0415

    settings = config.load()
    try:
        with reserve_folder(settings.sms_log_dir):
            database = open_configured(settings, patience=Patience(SILENT_S, MOST_SILENT_S))
            server = build(settings, database)
            check_ready(database)
            database.dispose()
            log_lines.set_up(settings.sms_log_format)
            server.start()
    except StartError as error:
        raise ServerUnreachable(config.in_our_words(str(error))) from error


@cli.command()
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
    request = Trigger(check_name(name), template, watch, allow_duplicates=allow_duplicates or None)
    if watch:
        _watch(remote, request)
    lost = f"it may have started: python -m app status {request.campaign}"
    with remote.ask(request, timeout_s=ANSWER_WITHIN_S, lost=lost) as answers:
        out.print(next(answers)["message"])


@cli.command()
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


@cli.command()
def preview(
    template: TemplateText = DEFAULT_TEMPLATE,
    customer: Annotated[
        int | None, typer.Option(min=1, max=2**32 - 1, help="Show the message of the customer with this id.")
    ] = None,
    masked: Annotated[bool, typer.Option("--mask", help="Make the middle of mobiles unreadable.")] = False,
    as_json: Json = False,
) -> None:
    """Show messages as they would be sent, what they cost, and an estimate for everybody. Sends nothing."""
    settings = config.load()
    added = settings.template_columns
    found = look_ahead(_database(settings), template, customer, added_columns=added, masked=masked)
    if as_json:
        console.print_json(preview_facts(found))
    else:
        out.print(preview_text(found))


@cli.command()
def token(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing where there is a token already.")] = False,
) -> None:
    """Make a token that every request must bear, in a file that server and commands read; one that is there stays."""
    settings = config.load()
    if settings.sms_trigger_token.get_secret_value():
        if not quiet:
            out.print("SMS_TRIGGER_TOKEN is set, and counts")
        return
    path = token_file(settings)
    made = make_token(path)
    read_token(settings)
    if made or not quiet:
        there = "made a token" if made else "there is a token"
        out.print(f"{there} in {path}; start the server anew to have it asked for")


@cli.command()
def pause(name: Name) -> None:
    """Stop sending a campaign, within a second. It stays paused, over restarts too, until it is resumed."""
    _control(name, Verb.PAUSE)


@cli.command()
def resume(
    name: Name,
    abandon: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Give up a folder of logs that will not come back, as status names it."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go on with a campaign that is paused or failed; a failed one has its logs compared with the database first."""
    settings = config.load()
    database = _database(settings)
    if abandon is None:
        now = progress.snapshot(database, check_name(name))
        if now.campaign.state is State.FAILED and not _agrees_to_differences(database, settings, now, yes=yes):
            raise typer.Exit(1)
        _control(name, Verb.RESUME)
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


def _agrees_to_differences(database: Engine, settings: Config, now: progress.Snapshot, *, yes: bool) -> bool:
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


@cli.command()
def cancel(name: Name) -> None:
    """Stop sending a campaign for ever. What is sent stays sent."""
    _control(name, Verb.CANCEL)


def _control(name: str, verb: Verb) -> None:
    """The database is told, so it works whether the server runs or not."""
    settings = config.load()
    done = control(_database(settings), settings.sms_log_dir, name, verb)
    now = done.snapshot
    if any(each.state is ShardState.SUSPECT for each in now.shards):
        out.print(f"{now.campaign.name} is {now.campaign.state}: its logs are compared with the database first")
    else:
        out.print(f"{now.campaign.name} is {now.campaign.state}: {now.sent:,} sent, {now.done:.1%} done")
    if done.still_sending:
        tasks = ", ".join(str(number) for number in done.still_sending)
        console.err.print(f"not stopped yet: task {tasks}; what it sends now is not counted, and taken back")


@cli.command()
def status(
    name: Annotated[str | None, typer.Argument(help="One campaign; all without it.")] = None, as_json: Json = False
) -> None:
    """Show campaigns as the database knows them; the server need not run."""
    settings = config.load()
    database = _database(settings)
    if name is not None:
        one = progress.snapshot(database, check_name(name))
        if as_json:
            console.print_json(views.snapshot_facts(one))
        else:
            out.print(views.campaign_table([one]), views.shard_table(one), one.campaign.reason)
            for sentence in views.elsewhere(one, owner_of(settings.sms_log_dir)):
                out.print(sentence)
        return
    every = progress.every_snapshot(database)
    if as_json:
        console.print_json([views.snapshot_facts(each) for each in every])
    elif every:
        out.print(views.campaign_table(every))
    else:
        out.print("there are no campaigns yet")


@cli.command()
def logs(
    name: Name,
    task: Annotated[int | None, typer.Option("--task", min=0, help="The log of one task; of all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the campaign is over.")] = False,
    masked: Annotated[bool, typer.Option("--mask", help="Write mobiles as 138****0001.")] = False,
) -> None:
    """Print the messages of a campaign as they stand in its logs, those that are on record; the server need not run."""
    settings = config.load()
    messages = Messages(_database(settings), settings.sms_log_dir, check_name(name), task)
    try:
        for lines in messages.follow(console.err.print) if follow else messages.read():
            console.write(mask_all(lines.decode()).encode() if masked else lines)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@cli.command()
def report(name: Name, as_json: Json = False) -> None:
    """Check the logs against the database, message by message. Exit status 1 when anything differs."""
    settings = config.load()
    database = _database(settings)
    collect_rarely()
    with console.err.status("reading the logs") as status_line:
        for step in check_logs(database, settings.sms_log_dir, check_name(name)):
            if isinstance(step, Report):
                whole = step
            else:
                status_line.update(f"task {step.task} read")
    if as_json:
        console.print_json(views.report_facts(whole))
    else:
        out.print(views.report_table(whole))
        for task in whole.tasks:
            for difference in task.differences:
                out.print(f"task {task.task}: {difference}")
        for sentence in views.late_lines(whole):
            out.print(sentence)
    raise typer.Exit(0 if whole.agrees else 1)


@cli.command(name="doctor")
def examine(as_json: Json = False) -> None:
    """Check what the server needs, a line each: ok, warning or problem, and what to do. Exit status 1 for a problem."""
    from app import doctor  # noqa: PLC0415  no other command needs it, nor Alembic
    from migrations import schema  # noqa: PLC0415

    def schema_status(connection: Connection) -> tuple[str, str]:
        now = schema.status(connection)
        return now.current, now.head

    findings = []
    for finding in doctor.examine(config.load(), schema_status):
        findings.append(finding)
        if not as_json:
            out.print(views.finding_line(finding))
    if as_json:
        console.print_json([asdict(each) for each in findings])
    raise typer.Exit(1 if any(each.verdict is doctor.Verdict.PROBLEM for each in findings) else 0)


if __name__ == "__main__":
    console.run(cli)
