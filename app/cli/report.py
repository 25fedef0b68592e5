"""`python -m app report`."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.audit import parts_document
from app.audit.ledger_report import LedgerReport, ledger_report
from app.audit.parts_document import PartsReport
from app.audit.parts_document import merge as merged
from app.audit.report import Report, count_elsewhere
from app.audit.report import report as check_logs
from app.audit.whereabouts import told
from app.campaigns.snapshot import Snapshot, snapshot
from app.catalogue import say, word
from app.cli import ledger_view, report_view, views
from app.cli.shared import Json, Name, opened
from app.config import Config
from app.console import out
from app.domain.campaign import LOG, check_name
from app.domain.price import Price
from app.errors import BadRequest, ConfigError, FileUnusable, NoLogs
from app.gateways.log_file.folder import make_folder
from app.gateways.networks import outgoing
from app.store.customers import collect_rarely

_CENTRE_LOG = typer.Option("--smsc-log", help="The log of examples/smsc.py, to be compared with the ledger.")


def report(
    name: Name,
    files: Annotated[
        list[Path] | None, typer.Argument(help="With --merge: what --parts --json wrote, of each host.")
    ] = None,
    as_json: Json = False,
    smsc_log: Annotated[Path | None, _CENTRE_LOG] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="Only what lies on this host; with --json for --merge.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make the whole of what --parts --json wrote on each host.")
    ] = False,
) -> None:
    """Check what was sent against the database: the logs message by message, or the ledger customer by customer. Exit
    status 1 when anything differs, or lies on another host."""
    first = _document(name) if merge else None  # without a name before them
    if (parts and merge) or bool(files or first) is not merge:
        raise typer.BadParameter("--merge goes with files of --parts --json, and these with nothing else")
    documents = [*([first] if first else []), *map(parts_document.read, files or [])]
    name = first.campaign if first else name
    settings = config.load()
    database = opened(settings)
    collect_rarely()
    now = snapshot(database, check_name(name))
    campaign = now.campaign
    if parts or merge:
        if campaign.gateway != LOG:
            raise NoLogs(campaign.name, campaign.gateway)
        campaign.check_whole()
    if campaign.pruned_at:
        _report_counts(now, as_json=as_json)
        return
    if campaign.gateway != LOG:
        agrees = _report_ledger(database, campaign.name, smsc_log, _price(settings, campaign.gateway), as_json=as_json)
    elif smsc_log:
        raise BadRequest("report.no_ledger", campaign=campaign.name)
    elif merge:
        agrees = _show(settings, merged(now, documents, count_elsewhere(database, now)), as_json=as_json)
    else:
        whole = _compared(database, settings, campaign.name)
        agrees = _show_parts(settings, whole, as_json=as_json) if parts else _show(settings, whole, as_json=as_json)
    raise typer.Exit(0 if agrees else 1)


def _report_counts(now: Snapshot, *, as_json: bool) -> None:
    """Of a campaign whose details were removed: there is nothing to be compared."""
    if as_json:
        console.print_json(views.snapshot_facts(now) | {"agrees": None})
    else:
        out.print(views.campaign_table([now]), views.shard_table(now))
        for sentence in views.pruned(now.campaign):
            out.print(sentence)


def _document(name: str) -> PartsReport | None:
    with suppress(FileUnusable):
        return parts_document.read(Path(name))
    return None


def _compared(database: Engine, settings: Config, name: str) -> Report:
    with console.err.status(say("report.reading")) as status_line:
        for step in check_logs(database, settings.sms_log_dir, name):
            if isinstance(step, Report):
                whole = step
            else:
                status_line.update(say("report.read", task=step.task))
    return whole


def _show_parts(settings: Config, found: Report, *, as_json: bool) -> bool:
    """What lies here, whatever lies elsewhere."""
    if as_json:
        folder = make_folder(settings.sms_log_dir)
        made = parts_document.document(found, folder, settings.host_id, datetime.now(UTC), word)
        console.print_json(made.model_dump(mode="json"))
    else:
        out.print(report_view.parts_table(found))
        _say_differences(found)
    return found.agrees_here


def _show(settings: Config, whole: Report, *, as_json: bool) -> bool:
    if as_json:
        console.print_json(report_view.report_facts(whole))
    else:
        out.print(report_view.report_table(whole))
        _say_differences(whole)
        for sentence in report_view.late_lines(whole):
            out.print(sentence)
        for each in told(whole.elsewhere, settings.host_id):
            out.print(word(each))
    return whole.agrees and whole.is_whole


def _say_differences(found: Report) -> None:
    for task in found.tasks:
        for difference in task.differences:
            out.print(say("of_task", task=task.task, what=difference))


def _price(settings: Config, gateway: str) -> Price | None:
    """As the file of gateways has it now; a report needs no such file."""
    with suppress(ConfigError, BadRequest):
        by = outgoing(settings, gateway)
        return by.price if by else None
    return None


def _report_ledger(database: Engine, name: str, smsc_log: Path | None, price: Price | None, *, as_json: bool) -> bool:
    config.tune_numpy()
    with console.err.status(say("report.reading_ledger")) as status_line:
        for step in ledger_report(database, name, smsc_log):
            if isinstance(step, LedgerReport):
                whole = step
            else:
                status_line.update(say("report.read", task=step.task))
    if as_json:
        console.print_json(ledger_view.ledger_facts(whole, price))
    else:
        out.print(ledger_view.ledger_table(whole))
        for sentence in ledger_view.ledger_lines(whole, price):
            out.print(sentence)
    return whole.agrees
