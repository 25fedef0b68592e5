"""What a resume of a failed campaign will find in its logs, counted before anything is sent."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from app.audit.repair_shard import Comparison
from app.campaigns.snapshot import Snapshot
from app.campaigns.suspicion import compared_here
from app.domain.differences import Differences
from app.gateways.log_file.folder import log_path, owner_of
from app.gateways.log_file.reader import LogReader
from app.sending.journal import PAGE_ROWS
from app.store import log_parts


def compare_logs(
    database: Engine, log_dir: Path, now: Snapshot, on_task: Callable[[int, int], None] = lambda done, tasks: None
) -> Differences:
    """Of the shards whose log is compared when the campaign is resumed here. Nothing is changed. Before each `on_task`
    is told how many are done, of how many. Raises what that does, LogUnusable and what the database raises."""
    ours = owner_of(log_dir)
    sent = kept = missing = left_over = 0
    compared = compared_here(log_dir, ours, now.campaign, now.shards, now.parts)
    for done, shard in enumerate(compared):
        on_task(done, len(compared))
        parts = log_parts.lying_in(now.parts[shard.number], ours) if shard.owner else [log_parts.whole(shard, ours)]
        log = LogReader(log_path(log_dir, now.campaign.name, shard.number))
        comparison = Comparison(database, log, now.campaign, shard, parts, PAGE_ROWS)
        while comparison.goes_on:
            comparison.next_page()
        sent += comparison.standing.tally.sent
        kept += comparison.counts["as_they_were"]
        missing += comparison.counts["sent_again"]
        left_over += comparison.left_over
    return Differences(sent - kept - missing, kept, missing, left_over)
