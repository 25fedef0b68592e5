"""Gives up a folder of logs that is lost with the messages in it, so that they are sent again from this one.

No campaign needs that to go on: whoever is there takes a silent folder's shards up where the record says. It is a
person's word that what lies in a folder reached nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.campaigns.suspicion import suspect
from app.domain.actor import Actor, Deed
from app.domain.campaign import LOG, ShardState, State, Verb, check_name
from app.errors import FolderAlive, UnknownFolder, WrongState
from app.gateways.log_file.folder import SHOWN, make_folder, owner_of
from app.store import campaigns, log_parts, shards, trail
from app.store.campaigns import Campaign
from app.store.faults import write
from app.store.log_parts import Part
from app.store.shards import Shard


@dataclass(frozen=True, slots=True)
class Loss:
    """What it costs: so many messages of these shards are on record in that folder."""

    owner: str
    host: str
    """Where it was, '' where that was not noted."""
    shards: list[int]
    sent: int


def estimate(database: Engine, log_dir: Path, name: str, folder: str) -> Loss:
    """`folder` is a path, or the beginning of the name that `status` and `report` show. Raises BadRequest,
    UnknownCampaign, UnknownFolder, FolderAlive, WrongState, LogUnusable."""
    with database.connect() as connection:
        return _loss(connection, log_dir, _found(connection, name), folder)


def abandon(database: Engine, log_dir: Path, name: str, folder: str, by: Actor | None = None) -> Loss:
    """Do it, and have a paused or failed campaign go on. What lay there is to lie here: this folder compares what it
    has with that first, so logs that were carried over are kept, and sends the rest. Raises as `estimate` does."""

    def change(connection: Connection) -> Loss:
        campaign = _found(connection, name, to_change=True)
        loss = _loss(connection, log_dir, campaign, folder)
        if campaign.state is State.FAILED:
            suspect(connection, log_dir, campaign)
        ours = make_folder(log_dir)
        for number in loss.shards:
            shard = shards.get(connection, campaign.id, number)
            parts = log_parts.of_shard(connection, shard)
            log_parts.abandon(connection, shard, parts, loss.owner, ours)
        campaigns.change(connection, campaign.id, Verb.RESUME)  # one that runs goes on running
        before = {"state": campaign.state, "folder": loss.owner[:SHOWN], "tasks": loss.shards, "sent": loss.sent}
        after = {"state": State.RUNNING}
        trail.note(connection, by, Deed.ABANDON, campaign=campaign.name, before=before, after=after)
        return loss

    return write(database, change)


def _found(connection: Connection, name: str, *, to_change: bool = False) -> Campaign:
    campaign = campaigns.named(connection, check_name(name), to_change=to_change)
    if campaign.state in {State.FINISHED, State.CANCELLED}:
        raise WrongState(name, Verb.RESUME, campaign.state)
    return campaign


def _loss(connection: Connection, log_dir: Path, campaign: Campaign, folder: str) -> Loss:
    ours = owner_of(log_dir)
    begins = owner_of(Path(folder)) or folder
    every = shards.of_campaign(connection, campaign.id) if campaign.gateway == LOG and folder else []
    found: dict[str, list[tuple[Shard, Part]]] = {}
    for shard, part in _of(every, log_parts.of_shards(connection, every)):
        if part.folder.startswith(begins) and part.folder not in {"", ours}:
            found.setdefault(part.folder, []).append((shard, part))
    if len(found) != 1:
        raise UnknownFolder(campaign.name, folder)
    ((owner, some),) = found.items()
    if any(shard.is_held and shard.owner == owner for shard, _ in some):
        raise FolderAlive(owner[:SHOWN])
    numbers = sorted({shard.number for shard, _ in some})
    host = next((part.host for _, part in some if part.host), "")
    return Loss(owner, host, numbers, sum(part.tally.sent for _, part in some))


def _of(every: Sequence[Shard], parts: log_parts.Parts) -> list[tuple[Shard, Part]]:
    """Parts that have something, or whose shard waits for them."""
    return [
        (shard, part)
        for shard in every
        for part in parts[shard.number]
        if not part.is_empty or (part.is_open and shard.state is not ShardState.FINISHED)
    ]
