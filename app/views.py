"""How campaigns look on a terminal."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from app.doctor.finding import Finding, Verdict
from app.services.progress import Snapshot
from app.services.report import Report, TaskReport
from app.wording import duration


def campaign_table(snapshots: Iterable[Snapshot]) -> Table:
    """All campaigns, a row each."""
    table = Table(
        "campaign", "state", "tasks", "sent", "rejected", "gone", "audience", "done", "rate", "left", "triggered"
    )
    for each in snapshots:
        table.add_row(
            each.campaign.name,
            "running, preparing" if each.campaign.is_preparing else each.campaign.state,
            str(len(each.shards)),
            f"{each.sent:,}",
            f"{each.rejected:,}",
            f"{each.gone:,}",
            _audience(each.audience),
            f"{each.done:.1%}",
            f"{each.messages_per_s:,.0f}/s" if each.messages_per_s else "",
            "" if each.left_s is None else duration(each.left_s),
            f"{each.campaign.created_at:%Y-%m-%d %H:%M:%S} UTC",
        )
    return table


def shard_table(snapshot: Snapshot) -> Table:
    """One campaign, a row for each task."""
    table = Table("task", "ids", "state", "sent", "先生", "女士", "客户", "rejected", "gone", "audience", "done")
    for each in snapshot.shards:
        total = each.to_id - each.after_id
        table.add_row(
            str(each.number),
            f"{each.after_id + 1:,} – {each.to_id:,}",
            each.state,
            f"{each.sent:,}",
            f"{each.male:,}",
            f"{each.female:,}",
            f"{each.unknown:,}",
            f"{each.rejected:,}",
            f"{each.gone:,}",
            _audience(each.audience),
            f"{(each.last_id - each.after_id) / total:.1%}",
        )
    return table


def _audience(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """One campaign for `--json`."""
    campaign = snapshot.campaign
    return {
        "campaign": campaign.name,
        "state": campaign.state,
        "preparing": campaign.is_preparing,
        "reason": campaign.reason,
        "template": campaign.template,
        "allow_duplicates": campaign.allow_duplicates,
        "created_at": campaign.created_at.isoformat(),
        "finished_at": campaign.finished_at.isoformat() if campaign.finished_at else None,
        "sent": snapshot.sent,
        "rejected": snapshot.rejected,
        "gone": snapshot.gone,
        "audience": snapshot.audience,
        "done": round(snapshot.done, 6),
        "rate": round(snapshot.messages_per_s, 1),
        "left_s": None if snapshot.left_s is None else round(snapshot.left_s, 1),
        "tasks": [
            {
                "task": each.number,
                "after_id": each.after_id,
                "to_id": each.to_id,
                "last_id": each.last_id,
                "state": each.state,
                "sent": each.sent,
                "male": each.male,
                "female": each.female,
                "unknown": each.unknown,
                "rejected": each.rejected,
                "gone": each.gone,
                "audience": each.audience,
                "log_bytes": each.log_bytes,
            }
            for each in snapshot.shards
        ],
    }


def finding_line(finding: Finding) -> Text:
    """One line of the doctor."""
    advice = f"; {finding.advice}" if finding.advice else ""
    colour = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}[finding.verdict]
    return Text.assemble((f"{finding.verdict:<8}", colour), f" {finding.check:<13} {finding.found}{advice}")


def report_table(report: Report) -> Table:
    """One campaign's logs, a row for each task and one in all."""
    people = ("lines", "先生", "女士", "客户", "rejected", "gone", "audience")
    table = Table("task", *people, "bytes", "first", "last", "seconds", "rate", "agrees")
    for each in report.tasks:
        table.add_row(
            str(each.task),
            *(f"{value:,}" for value in (each.lines, each.male, each.female, each.unknown, each.rejected, each.gone)),
            _audience(each.audience),
            f"{each.bytes:,}",
            each.first_mobile,
            each.last_mobile,
            f"{each.seconds:.1f}",
            f"{each.rate:,.0f}/s",
            "no" if each.differences else "yes",
        )
    total = totals(report)
    table.add_section()
    table.add_row(
        "all",
        *(f"{total[key]:,}" for key in ("lines", "male", "female", "unknown", "rejected", "gone")),
        _audience(total["audience"]),
        f"{total['bytes']:,}",
        total["first_mobile"],
        total["last_mobile"],
        f"{total['seconds']:.1f}",
        f"{total['rate']:,.0f}/s",
        "yes" if report.agrees else "no",
    )
    return table


def totals(report: Report) -> dict[str, Any]:
    """All tasks together. `seconds` is from trigger to the end; each task's own are what it worked."""
    tasks, campaign = report.tasks, report.campaign
    seconds = (campaign.finished_at - campaign.created_at).total_seconds() if campaign.finished_at else 0.0
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
