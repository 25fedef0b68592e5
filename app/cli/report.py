"""`python -m app report`."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.audit.ledger_report import LedgerReport, ledger_report
from app.audit.report import Report
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
from app.errors import BadRequest, ConfigError
from app.gateways.networks import outgoing
from app.store.customers import collect_rarely

_CENTRE_LOG = typer.Option("--smsc-log", help="The log of examples/smsc.py, to be compared with the ledger.")


def report(name: Name, as_json: Json = False, smsc_log: Annotated[Path | None, _CENTRE_LOG] = None) -> None:
    """Check what was sent against the database: the logs message by message, or the ledger customer by customer. Exit
    status 1 when anything differs."""
    settings = config.load()
    database = opened(settings)
    collect_rarely()
    now = snapshot(database, check_name(name))
    campaign = now.campaign
    if campaign.pruned_at:
        _report_counts(now, as_json=as_json)
        return
    if campaign.gateway != LOG:
        agrees = _report_ledger(database, campaign.name, smsc_log, _price(settings, campaign.gateway), as_json=as_json)
    elif smsc_log:
        raise BadRequest("report.no_ledger", campaign=campaign.name)
    else:
        agrees = _report_logs(database, settings, campaign.name, as_json=as_json)
    raise typer.Exit(0 if agrees else 1)


def _report_counts(now: Snapshot, *, as_json: bool) -> None:
    """Of a campaign whose details were removed: there is nothing to be compared."""
    if as_json:
        console.print_json(views.snapshot_facts(now) | {"agrees": None})
    else:
        out.print(views.campaign_table([now]), views.shard_table(now))
        for sentence in views.pruned(now.campaign):
            out.print(sentence)


def _report_logs(database: Engine, settings: Config, name: str, *, as_json: bool) -> bool:
    with console.err.status(say("report.reading")) as status_line:
        for step in check_logs(database, settings.sms_log_dir, name):
            if isinstance(step, Report):
                whole = step
            else:
                status_line.update(say("report.read", task=step.task))
    if as_json:
        console.print_json(report_view.report_facts(whole))
    else:
        out.print(report_view.report_table(whole))
        for task in whole.tasks:
            for difference in task.differences:
                out.print(say("of_task", task=task.task, what=difference))
        for sentence in report_view.late_lines(whole):
            out.print(sentence)
        for each in told(whole.elsewhere):
            out.print(word(each))
    return whole.agrees and whole.is_whole


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
