"""`python -m app doctor`."""

import typer
from rich.cells import set_cell_size
from rich.text import Text
from sqlalchemy import Connection

from app import config, console
from app.catalogue import say, word
from app.cli.shared import Json
from app.config import Config
from app.console import out
from app.doctor import Finding, Verdict, examine
from app.doctor.fleet import Broker
from migrations import schema


def doctor(as_json: Json = False) -> None:
    """Check what the server needs, a line each: ok, warning or problem, and what to do. Exit status 1 for a problem."""

    def schema_status(connection: Connection) -> tuple[str, str]:
        now = schema.status(connection)
        return now.current, now.head

    findings = []
    for finding in examine(config.load(), schema_status, look_at_broker):
        findings.append(finding)
        if not as_json:
            out.print(finding_line(finding))
    if as_json:
        console.print_json([finding_facts(each) for each in findings])
    raise typer.Exit(1 if any(each.verdict is Verdict.PROBLEM for each in findings) else 0)


def look_at_broker(settings: Config) -> Broker:
    """See LookAtBroker; what it needs is loaded where it is needed."""
    from app.runners.celery import look  # noqa: PLC0415

    return Broker(*look(settings))


def finding_facts(finding: Finding) -> dict[str, str]:
    """The same for `--json`; `code` is for programs."""
    return {
        "check": finding.check,
        "verdict": finding.verdict,
        "code": finding.found.code,
        "found": word(finding.found),
        "advice": word(finding.advice) if finding.advice else "",
    }


def finding_line(finding: Finding) -> Text:
    """One line of the doctor."""
    words = word(finding.found)
    if finding.advice:
        words = say("with_advice", said=words, advice=finding.advice)
    colour = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}[finding.verdict]
    verdict, check = say(f"verdict.{finding.verdict}"), say(f"check.{finding.check}")
    return Text.assemble((set_cell_size(verdict, 8), colour), f" {set_cell_size(check, 13)} {words}")
