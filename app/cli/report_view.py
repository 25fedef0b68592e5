"""How a report looks on a terminal, and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.table import Table

from app.audit.report import Report, TaskReport
from app.cli.views import audience, table
from app.wording import counted, these


def report_table(report: Report) -> Table:
    """One campaign's logs, a row for each task and one in all."""
    rows = [
        _report_row(str(each.task), asdict(each) | {"rate": each.rate}, agrees=not each.differences)
        for each in report.tasks
    ]
    rows.append(_report_row("all", totals(report), agrees=report.agrees))
    expendable = ("bytes", "first", "last", "seconds", "rate", "先生", "女士", "客户", "audience", "gone")
    return table(rows, expendable, has_total=True)


def late_lines(report: Report) -> list[str]:
    """Sentences about those who came too late."""
    lines = [
        f"task {each.task}: {counted(len(each.late), 'customer')} came late, after the turn had passed, "
        f"{these('id', each.late)}"
        for each in report.tasks
        if each.late
    ]
    if report.late_elsewhere:
        who = counted(report.late_elsewhere, "customer")
        lines.append(f"{who} came late, in ranges of ids in which nobody lived at the trigger")
    return lines


def _report_row(name: str, facts: dict[str, Any], *, agrees: bool) -> dict[str, str]:
    people = {
        "lines": "lines",
        "先生": "male",
        "女士": "female",
        "客户": "unknown",
        "rejected": "rejected",
        "gone": "gone",
    }
    return {
        "task": name,
        **{title: f"{facts[key]:,}" for title, key in people.items()},
        "audience": audience(facts["audience"]),
        "bytes": f"{facts['bytes']:,}",
        "first": facts["first_mobile"],
        "last": facts["last_mobile"],
        "seconds": f"{facts['seconds']:.1f}",
        "rate": f"{facts['rate']:,.0f}/s",
        "agrees": "yes" if agrees else "no",
    }


def totals(report: Report) -> dict[str, Any]:
    """All tasks together. `seconds` is from trigger to the end, without pauses; each task's own are what it worked."""
    tasks, campaign = report.tasks, report.campaign
    seconds = campaign.ran_s or 0.0
    lines = sum(each.lines for each in tasks)
    greeted = [each for each in tasks if each.lines]
    return {
        "lines": lines,
        "male": sum(each.male for each in tasks),
        "female": sum(each.female for each in tasks),
        "unknown": sum(each.unknown for each in tasks),
        "rejected": sum(each.rejected for each in tasks),
        "gone": sum(each.gone for each in tasks),
        "audience": _sum_if_known([each.audience for each in tasks]),
        "late": report.late,
        "bytes": sum(each.bytes for each in tasks),
        "first_mobile": greeted[0].first_mobile if greeted else "",
        "last_mobile": greeted[-1].last_mobile if greeted else "",
        "seconds": seconds,
        "rate": lines / seconds if seconds else 0.0,
    }


def _sum_if_known(counts: list[int | None]) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None


def _task_facts(task: TaskReport) -> dict[str, Any]:
    return {
        "task": task.task,
        "lines": task.lines,
        "male": task.male,
        "female": task.female,
        "unknown": task.unknown,
        "rejected": task.rejected,
        "gone": task.gone,
        "audience": task.audience,
        "late": len(task.late),
        "bytes": task.bytes,
        "first_mobile": task.first_mobile,
        "last_mobile": task.last_mobile,
        "seconds": task.seconds,
        "rate": round(task.rate, 1),
        "differences": task.differences,
    }


def report_facts(report: Report) -> dict[str, Any]:
    """One campaign's report for `--json`."""
    return {
        "campaign": report.campaign.name,
        "state": report.campaign.state,
        "agrees": report.agrees,
        "total": totals(report),
        "tasks": [_task_facts(each) for each in report.tasks],
    }
