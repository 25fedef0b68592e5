"""How the report of a campaign with a ledger looks on a terminal, and as JSON."""

from typing import Any

from rich.table import Table

from app.audit.ledger_report import LedgerReport, LedgerTask
from app.catalogue import say, word
from app.cli.report_view import agreement
from app.cli.views import EXPENDABLE_STATES, cost_facts, ends, in_states, learning, states_of, table, tally_facts
from app.domain.delivery import Delivery
from app.domain.price import Price
from app.domain.tally import Tally
from app.sentence import Some

SHARES = {"p50": 0.5, "p95": 0.95}


def ledger_table(report: LedgerReport) -> Table:
    """A row for each task and one in all."""
    states = states_of([report.tally])
    rows = [_row(str(each.task), each.tally, each.parts, states, agreement(each)) for each in report.tasks]
    rows.append(_row(say("all"), report.tally, report.parts, states, agreement(report)))
    return table(rows, ("audience", "gone", "rejected", *EXPENDABLE_STATES), has_total=True)


def _row(name: str, tally: Tally, parts: int, states: list[Delivery], agrees: str) -> dict[str, str]:
    return {
        "task": name,
        "sent": f"{tally.shown_as_sent:,}",
        **in_states(tally, states),
        **ends(tally),
        "sms_in_all": f"{parts:,}",
        "agrees": agrees,
    }


def ledger_lines(report: LedgerReport, price: Price | None) -> list[str]:
    """Sentences below the table."""
    lines = []
    if price is not None:
        lines.append(say("report.cost", parts=report.parts, sum=price.shown(report.parts), price=price.each))
    if report.delivered_share is not None:
        tally = report.tally
        share = report.delivered_share
        lines.append(say("report.delivered", delivered=tally.delivered, taken=tally.taken, share=share))
    if report.took.count:
        p50, p95 = (report.took.percentile(each) or 0.0 for each in SHARES.values())
        lines.append(say("report.took", count=report.took.count, p50=p50, p95=p95))
    lines += learning(report.campaign, report.tally)
    lines += [say("report.error", error=error, count=count) for error, count in report.errors]
    lines += [say("of_task", task=task.task, what=each) for task in report.tasks for each in task.differences]
    lines += [word(each) for each in report.differences]
    lines += [
        say("late", task=each.task, count=len(each.late), ids=Some(each.late)) for each in report.tasks if each.late
    ]
    return lines


def ledger_facts(report: LedgerReport, price: Price | None) -> dict[str, Any]:
    """The same for `--json`."""
    campaign, took = report.campaign, report.took
    return {
        "campaign": campaign.name,
        "gateway": campaign.gateway,
        "state": campaign.state,
        "settled": campaign.is_settled(report.tally),
        "agrees": report.agrees,
        "total": _facts(report.tally, report.parts)
        | {
            "cost": cost_facts(price, report.parts),
            "delivered_share": report.delivered_share,
            "errors": [{"error": error, "count": count} for error, count in report.errors],
            "receipts": {"count": took.count} | {f"{name}_s": took.percentile(share) for name, share in SHARES.items()},
        },
        "differences": [word(each) for each in report.differences],
        "tasks": [_task_facts(each) for each in report.tasks],
    }


def _facts(tally: Tally, parts: int) -> dict[str, Any]:
    return {**tally_facts(tally), "states": {each.value: count for each, count in tally.states.items()}, "parts": parts}


def _task_facts(task: LedgerTask) -> dict[str, Any]:
    return {
        "task": task.task,
        **_facts(task.tally, task.parts),
        "late": len(task.late),
        "differences": [word(each) for each in task.differences],
    }
