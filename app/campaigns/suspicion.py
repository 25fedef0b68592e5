"""Which logs are compared with the database before a campaign that failed goes on."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from app.domain.campaign import ShardState
from app.gateways.log_file.folder import log_path, make_folder, translated
from app.store import hosts, log_parts, shards, suspects
from app.store.campaigns import Campaign
from app.store.log_parts import Parts
from app.store.shards import Shard


def suspect(connection: Connection, log_dir: Path, campaign: Campaign) -> None:
    """The logs of a campaign that failed, in the transaction that lets it go on and has its row: see suspect_all.
    Raises LogUnusable."""
    folder = make_folder(log_dir)
    suspects.suspect_all(connection, campaign.id, folder, hosts.living_folders(connection))
    every = shards.of_campaign(connection, campaign.id)
    for shard in compared_here(log_dir, folder, campaign, every, log_parts.of_shards(connection, every)):
        if shard.owner not in {"", folder}:
            log_parts.hand_over(connection, shard, folder)


def compared_here(log_dir: Path, folder: str, campaign: Campaign, every: Iterable[Shard], parts: Parts) -> list[Shard]:
    """Those whose log is in this folder, or will be; and those that went on in another one while of what they have here
    something is missing."""
    return [
        each
        for each in every
        if each.owner == folder
        or (each.owner == "" and each.state is not ShardState.FINISHED)
        or _size(log_path(log_dir, campaign.name, each.number)) < log_parts.end_of(parts[each.number], folder)
    ]


def _size(path: Path) -> int:
    with translated(path):
        return path.stat().st_size if path.exists() else 0
