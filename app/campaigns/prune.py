"""Removes the details of campaigns that are over: the rows of their customers and the logs of this host. Their counts
stay, and so do their names.

A campaign is marked first, and nobody counts on its details from then on. What is removed then is removed in steps that
each stand alone: killed at any point, the next run finds what is left of marked campaigns and goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.campaigns.snapshot import Snapshot, every_snapshot
from app.domain.actor import Actor, Deed
from app.domain.campaign import LOG
from app.gateways.log_file.folder import owner_of
from app.gateways.log_file.removal import LogFile, is_empty, logs_of, remove_logs
from app.store import id_lists, log_parts, pruning, trail
from app.store.campaigns import Campaign
from app.store.faults import write


@dataclass(frozen=True, slots=True)
class Prunable:
    """A campaign whose details may be removed, or were in part."""

    campaign: Campaign
    rows: int
    """Of customers, in the database; about as many."""
    files: list[LogFile]
    elsewhere: dict[str, list[int]] = field(default_factory=dict)
    """Folders other than this one that have logs of it, each with the numbers of the tasks."""

    @property
    def bytes(self) -> int:
        """Of the files."""
        return sum(each.size for each in self.files)


@dataclass(frozen=True, slots=True)
class Removed:
    """One step."""

    rows: int = 0
    files: int = 0
    bytes: int = 0


def find(database: Engine, log_dir: Path, before: datetime) -> list[Prunable]:
    """Campaigns that were over before then and are settled, and those of which an earlier run left something, oldest
    first. Raises LogUnusable."""
    owner = owner_of(log_dir)
    with database.connect() as connection:
        left = pruning.unfinished(connection)
        in_folders = log_parts.in_folders(connection)
    found = []
    for now in reversed(every_snapshot(database)):
        campaign = now.campaign
        tasks = _tasks_of(now, in_folders)
        files = logs_of(log_dir, campaign.name, tasks.get(owner, []) if owner else [])
        if campaign.pruned_at is not None:
            if campaign.id in left or files or is_empty(log_dir, campaign.name):
                found.append(Prunable(campaign, left.get(campaign.id, 0), files))
        elif now.is_settled and campaign.finished_at and campaign.finished_at < before:
            others = {folder: its for folder, its in tasks.items() if folder != owner}
            found.append(Prunable(campaign, _rows(now), files, others))
    return found


def _tasks_of(now: Snapshot, in_folders: Mapping[int, Mapping[str, list[int]]]) -> dict[str, list[int]]:
    """By the folder that has logs of theirs; a campaign to a network has none."""
    if now.campaign.gateway != LOG:
        return {}
    found = {folder: {*tasks} for folder, tasks in in_folders.get(now.campaign.id, {}).items()}
    for each in now.shards:
        if each.owner:
            found.setdefault(each.owner, set()).add(each.number)
    return {folder: sorted(tasks) for folder, tasks in found.items()}


def _rows(now: Snapshot) -> int:
    tally = now.tally
    return tally.rejected + (0 if now.campaign.gateway == LOG else tally.sent)


def prune(
    database: Engine, log_dir: Path, found: Sequence[Prunable], before: datetime, by: Actor | None = None
) -> Iterator[Removed]:
    """Each step once it is done. One that was opened again since it was found is left alone. Lists of ids that a killed
    command left go as well. Raises LogUnusable."""
    write(database, id_lists.remove_old)
    for each in found:
        campaign = each.campaign
        marked = campaign.pruned_at is not None or write(database, partial(_mark, each=each, before=before, by=by))
        if not marked:
            continue
        for detail in pruning.DETAILS:
            last: int | None = -1
            while last is not None:
                remove = partial(pruning.remove_some, campaign_id=campaign.id, detail=detail, after=last)
                last, rows = write(database, remove)
                if rows:
                    yield Removed(rows=rows)
        for file in remove_logs(log_dir, campaign.name, each.files):
            yield Removed(files=1, bytes=file.size)


def _mark(connection: Connection, each: Prunable, before: datetime, by: Actor | None) -> bool:
    marked = pruning.mark(connection, each.campaign.id, before)
    if marked:
        found = {"state": each.campaign.state, "rows": each.rows, "files": len(each.files)}
        trail.note(connection, by, Deed.PRUNE, campaign=each.campaign.name, before=found)
    return marked
