"""Leaves a shard of a halted campaign as its record says: its log cut back, nobody at it."""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from app.domain.campaign import LOG, ShardState, State
from app.errors import LogDamaged, LogUnusable, ShardTaken
from app.gateways.base import Gateway
from app.gateways.log_file.folder import make_folder
from app.gateways.log_file.journal import LogFile
from app.gateways.log_file.rejects import RejectLog
from app.store import campaigns, rejects, shards
from app.store.campaigns import Campaign
from app.store.faults import write


def let_go(database: Engine, gateway: Gateway, reject_log: RejectLog, campaign_id: int, number: int) -> bool:
    """Cut off what was delivered and is not on record, and note that nobody is at the shard. Gateway and log
    of rejects are the caller's alone. Whether its campaign is halted; while it runs, nothing is changed.

    A log that is damaged stays as it is; whoever takes the shard up again finds out. Raises LogUnusable.
    """
    with database.connect() as connection:
        campaign = campaigns.get(connection, campaign_id)
        shard = shards.get(connection, campaign_id, number) if campaign else None
    if campaign is None or shard is None:
        return True
    if campaign.state is State.RUNNING:
        return False
    if shard.owner == gateway.owner and shard.state is not ShardState.FINISHED:
        if shard.state is ShardState.OPEN:  # of a suspect log nobody knows yet where it should end
            with suppress(LogDamaged):
                gateway.return_to(shard.log_bytes)
            reject_log.rewrite(rejects.pages(database, campaign_id, number, shard.after_id, shard.to_id))
        write(database, lambda connection: shards.let_go(connection, campaign_id, number, gateway.owner))
    return True


def let_go_of_all(database: Engine, log_dir: Path, campaign: Campaign) -> list[int]:
    """Do so with every shard of a halted campaign that no process has in hand and whose log is in this folder; the
    numbers of those at which somebody may still be. Raises what the database raises."""
    with database.connect() as connection:
        held = [
            each
            for each in shards.of_campaign(connection, campaign.id)
            if each.lease_until_ms and each.state is not ShardState.FINISHED
        ]
    if campaign.gateway != LOG:  # nothing can be taken back: who is at it ends by itself
        return [each.number for each in held if each.is_held]
    if not held or not log_dir.exists():
        return [each.number for each in held]
    left = []
    for shard in held:
        try:
            if shard.owner != make_folder(log_dir):
                raise ShardTaken("shard_taken.elsewhere", shard=shard.number)
            gateway = LogFile(log_dir, campaign.name, shard.number)
            reject_log = RejectLog(log_dir, campaign.name, shard.number)
            try:
                let_go(database, gateway, reject_log, campaign.id, shard.number)
            finally:
                reject_log.close()
                gateway.close()
        except (ShardTaken, LogUnusable):
            left.append(shard.number)
    return left
