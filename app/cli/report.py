"""`python -m app report`."""

import typer

from app import config, console
from app.audit.report import Report
from app.audit.report import report as check_logs
from app.catalogue import say
from app.cli import report_view
from app.cli.shared import Json, Name, opened
from app.console import out
from app.domain.campaign import check_name
from app.store.customers import collect_rarely


def report(name: Name, as_json: Json = False) -> None:
    """Check the logs against the database, message by message. Exit status 1 when anything differs."""
    settings = config.load()
    database = opened(settings)
    collect_rarely()
    with console.err.status(say("report.reading")) as status_line:
        for step in check_logs(database, settings.sms_log_dir, check_name(name)):
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
    raise typer.Exit(0 if whole.agrees else 1)
