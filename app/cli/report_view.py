"""How a report looks on a terminal, and as JSON."""

from typing import Any, Protocol

from rich.table import Table

from app.audit.report import Report, TaskReport
from app.catalogue import say, word
from app.cli.views import ends, forms, part_facts, table, tally_facts
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.domain.tally import Tally
from app.sentence import Some


def report_table(report: Report) -> Table:
    """One campaign's logs, a row for each task and one in all."""
    rows = [
        _report_row(str(each.task), each.tally, _task_facts(each), agreement(each, is_whole=each.is_whole))
        for each in report.tasks
    ]
    in_all = agreement(report, is_whole=report.is_whole)
    rows.append(_report_row(say("all"), _tally(report), totals(report), in_all))
    expendable = ("bytes", "first", "last", "seconds", "rate", MAN, WOMAN, UNKNOWN, "audience", "gone")
    return table(rows, expendable, has_total=True)


def parts_table(report: Report) -> Table:
    """What lies here, a row for each stretch of ids."""
    rows = [
        {
            "task": str(task.task),
            "ids": f"{part.first_id:,}…{part.last_id:,}",
            "lines": f"{part.tally.sent:,}",
            "bytes": f"{part.from_byte:,}…{part.to_byte:,}",
            "agrees": say("no" if task.differences_here else "yes"),
        }
        for task in report.tasks
        for part in task.parts
    ]
    return table(rows, ("bytes",))


def late_lines(report: Report) -> list[str]:
    """Sentences about those who came too late."""
    lines = [
        say("late", task=each.task, count=len(each.late), ids=Some(each.late)) for each in report.tasks if each.late
    ]
    if report.late_elsewhere:
        lines.append(say("late.elsewhere", count=report.late_elsewhere))
    return lines


class Checked(Protocol):
    """What is compared with the record."""

    @property
    def agrees(self) -> bool: ...

    @property
    def agrees_so_far(self) -> bool: ...


def agreement(of: Checked, *, is_whole: bool = True) -> str:
    """Whether it agrees, in a word."""
    if of.agrees and not is_whole:
        return say("here")
    if of.agrees:
        return say("yes")
    return say("so_far" if of.agrees_so_far else "no")


def _report_row(name: str, tally: Tally, facts: dict[str, Any], agreement: str) -> dict[str, str]:
    return {
        "task": name,
        "lines": f"{tally.sent:,}",
        **forms(tally),
        **ends(tally),
        "bytes": f"{facts['bytes']:,}",
        "first": facts["first_mobile"],
        "last": facts["last_mobile"],
        "seconds": f"{facts['seconds']:.1f}",
        "rate": say("rate", rate=facts["rate"]),
        "agrees": agreement,
    }


def totals(report: Report) -> dict[str, Any]:
    """All tasks together. `seconds` is from trigger to the end, without pauses; each task's own are what it worked."""
    tasks, campaign = report.tasks, report.campaign
    seconds = campaign.ran_s or 0.0
    tally = _tally(report)
    greeted = [each for each in tasks if each.tally.sent]
    return {
        **tally_facts(tally, sent="lines"),
        "late": report.late,
        "bytes": sum(each.bytes for each in tasks),
        "first_mobile": greeted[0].first_mobile if greeted else "",
        "last_mobile": greeted[-1].last_mobile if greeted else "",
        "seconds": seconds,
        "rate": tally.sent / seconds if seconds else 0.0,
    }


def _tally(report: Report) -> Tally:
    return sum((each.tally for each in report.tasks), Tally())


def _task_facts(task: TaskReport) -> dict[str, Any]:
    return {
        "task": task.task,
        **tally_facts(task.tally, sent="lines"),
        "late": len(task.late),
        "bytes": task.bytes,
        "first_mobile": task.first_mobile,
        "last_mobile": task.last_mobile,
        "seconds": task.seconds,
        "rate": round(task.rate, 1),
        "differences": [word(each) for each in task.differences],
        "elsewhere": [part_facts(each) for each in task.elsewhere],
    }


def report_facts(report: Report) -> dict[str, Any]:
    """One campaign's report for `--json`."""
    return {
        "campaign": report.campaign.name,
        "state": report.campaign.state,
        "agrees": report.agrees and report.is_whole,
        "agrees_here": report.agrees_here,
        "total": totals(report),
        "tasks": [_task_facts(each) for each in report.tasks],
    }
