"""`python -m app doctor`."""

from dataclasses import asdict

import typer
from rich.text import Text
from sqlalchemy import Connection

from app import config, console
from app.cli.shared import Json
from app.console import out
from app.doctor import Finding, Verdict, examine
from migrations import schema


def doctor(as_json: Json = False) -> None:
    """Check what the server needs, a line each: ok, warning or problem, and what to do. Exit status 1 for a problem."""

    def schema_status(connection: Connection) -> tuple[str, str]:
        now = schema.status(connection)
        return now.current, now.head

    findings = []
    for finding in examine(config.load(), schema_status):
        findings.append(finding)
        if not as_json:
            out.print(finding_line(finding))
    if as_json:
        console.print_json([asdict(each) for each in findings])
    raise typer.Exit(1 if any(each.verdict is Verdict.PROBLEM for each in findings) else 0)


def finding_line(finding: Finding) -> Text:
    """One line of the doctor."""
    advice = f"; {finding.advice}" if finding.advice else ""
    colour = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}[finding.verdict]
    return Text.assemble((f"{finding.verdict:<8}", colour), f" {finding.check:<13} {finding.found}{advice}")
