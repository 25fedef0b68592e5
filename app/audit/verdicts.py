"""What a report comes to, whether it was one of logs or of a ledger."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.audit.ledger_report import LedgerReport, LedgerTask, ledger_report
from app.audit.report import Report, TaskReport, report
from app.campaigns.snapshot import snapshot
from app.domain.campaign import LOG, check_name
from app.sentence import Sentence


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """One task's. `sent`: what was found, in its log or in rows that the gateway has."""

    task: int
    sent: int
    rejected: int
    late: int
    """Customers who were not there yet when their turn passed."""
    agrees: bool
    agrees_so_far: bool
    is_whole: bool
    """Whether nothing of it lies on another host, where it was not looked at."""
    differences: list[Sentence]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole campaign's."""

    tasks: list[TaskVerdict]
    late: int

    @property
    def agrees(self) -> bool:
        """Whether everything was looked at, is finished and agrees."""
        return all(each.agrees and each.is_whole for each in self.tasks)

    @property
    def agrees_so_far(self) -> bool:
        """Whether nothing that was looked at differs but that it is not finished."""
        return all(each.agrees_so_far for each in self.tasks)

    @property
    def differences(self) -> list[Sentence]:
        """Of all tasks, each with its number."""
        return [Sentence("of_task", task=each.task, what=what) for each in self.tasks for what in each.differences]


def verdict(
    database: Engine, log_dir: Path, name: str, should_stop: Callable[[], bool] = lambda: False
) -> Verdict | None:
    """Check what was sent against the record, as `report` does; None: told to stop. Raises BadRequest, UnknownCampaign,
    Pruned, LogUnusable, and what the database raises."""
    campaign = snapshot(database, check_name(name)).campaign
    campaign.check_whole()
    if campaign.gateway == LOG:
        with closing(report(database, log_dir, name)) as steps:
            for step in steps:
                if should_stop():
                    return None
                if isinstance(step, Report):
                    return Verdict(list(map(_of_log, step.tasks)), step.late)
    else:
        with closing(ledger_report(database, name)) as parts:
            for part in parts:
                if should_stop():
                    return None
                if isinstance(part, LedgerReport):
                    tasks = list(map(_of_ledger, part.tasks))
                    return Verdict(tasks, sum(each.late for each in tasks))
    return None


def _of_log(found: TaskReport) -> TaskVerdict:
    return TaskVerdict(
        found.task,
        found.tally.sent,
        found.tally.rejected,
        len(found.late),
        found.agrees,
        found.agrees_so_far,
        found.is_whole,
        found.differences,
    )


def _of_ledger(found: LedgerTask) -> TaskVerdict:
    return TaskVerdict(
        found.task,
        found.tally.taken,
        found.tally.rejected,
        len(found.late),
        found.agrees,
        found.agrees_so_far,
        True,
        found.differences,
    )
