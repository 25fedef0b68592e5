"""The commands: their arguments and exit codes, nothing else."""

from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from app import config, console, log_lines, protocol, views
from app.config import Config
from app.console import out
from app.domain.campaign import State, check_name
from app.errors import Refused, ServerUnreachable
from app.gateways.log_file import make_folder
from app.protocol import Trigger
from app.services import progress
from app.services.report import Report
from app.services.report import report as check_logs
from app.store.customers import collect_rarely
from app.store.database import open_database
from app.store.readiness import check_ready
from engine import Client, StartError

cli = console.commands("Greet every customer in the database by SMS, exactly once.")

Name = Annotated[str, typer.Argument(help="The campaign: letters, digits, - _ . and at most 64 of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

ANSWER_WITHIN_S = 30.0
"""Longest wait for the server's answer to a trigger."""


def _database(settings: Config) -> Engine:
    database = open_database(settings.database_url.get_secret_value())
    check_ready(database)
    return database


@cli.command()
def serve() -> None:
    """Run the server until Ctrl-C or SIGTERM. Campaigns that were under way go on by themselves."""
    from app.server import build  # noqa: PLC0415  the other commands need no event loop

    settings = config.load()
    _database(settings).dispose()
    make_folder(settings.sms_log_dir)
    log_lines.set_up()
    try:
        build(settings).start()
    except StartError as error:
        raise ServerUnreachable(str(error)) from error


@cli.command()
def trigger(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Show progress until the campaign is over.")] = False,
    template: Annotated[str, typer.Option(help="The message; {mobile}, {name} and {honorific} are filled in.")] = "",
) -> None:
    """Start a campaign through the running server. The same name again starts nothing and says so."""
    settings = config.load()
    request = Trigger(check_name(name), template, watch)
    where = f"{settings.sms_host}:{settings.sms_port}"
    # Between two changes of a campaign there may be minutes: who watches waits as long as it takes.
    timeout_s = None if watch else ANSWER_WITHIN_S
    try:
        with Client(settings.sms_host, settings.sms_port, timeout_s=timeout_s) as client:
            client.send(protocol.request(request))
            out.print(_read(client, lost=f"it may have started: python -m app status {request.campaign}")["message"])
            if watch and _watch(client) is not State.FINISHED:
                raise typer.Exit(1)
    except (ValueError, KeyError, TypeError) as error:
        raise ServerUnreachable(f"what answers at {where} is not our server; see SMS_HOST and SMS_PORT") from error
    except OSError as error:
        raise ServerUnreachable(f"no answer from {where} ({error}); start the server: python -m app serve") from error
    except KeyboardInterrupt:
        console.err.print(f"stopped watching; the campaign goes on, see: python -m app status {request.campaign}")
        raise typer.Exit(130) from None


def _read(client: Client, lost: str = "the campaign goes on when it is back") -> dict[str, Any]:
    """The server's next line. Raises Refused for one that refuses, ValueError when it is no line of ours.
    `lost`: what to say when the server closes instead."""
    line = client.read_line()
    if not line:
        raise ServerUnreachable(f"the server closed the connection; {lost}")
    facts = protocol.read_answer(line)
    if not facts.get("ok", True):
        raise Refused(facts["message"])
    return facts


def _watch(client: Client) -> State:
    """Show progress until a final state, and give it."""
    with views.ProgressView() as view:
        while True:
            facts = _read(client)
            view.show(facts)
            state = State(facts["state"])
            if state.is_final:
                break
    if facts["reason"]:
        out.print(facts["reason"])
    return state


@cli.command()
def status(
    name: Annotated[str | None, typer.Argument(help="One campaign; all without it.")] = None, as_json: Json = False
) -> None:
    """Show campaigns as the database knows them; the server need not run."""
    database = _database(config.load())
    if name is not None:
        one = progress.snapshot(database, check_name(name))
        if as_json:
            console.print_json(views.snapshot_facts(one))
        else:
            out.print(views.campaign_table([one]), views.shard_table(one), one.campaign.reason)
        return
    every = progress.every_snapshot(database)
    if as_json:
        console.print_json([views.snapshot_facts(each) for each in every])
    else:
        out.print(views.campaign_table(every))


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
    raise typer.Exit(0 if whole.agrees else 1)


if __name__ == "__main__":
    console.run(cli)
