"""Gives up a folder of logs that will not come back, so that what it had not finished is sent from another one."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.domain.actor import Actor, Deed
from app.domain.campaign import LOG, ShardState, State, Verb, check_name
from app.errors import FolderAlive, UnknownCampaign, UnknownFolder, WrongState
from app.gateways.log_file.folder import SHOWN, owner_of
from app.store import campaigns, shards, trail
from app.store.faults import write
from app.store.shards import Shard


@dataclass(frozen=True, slots=True)
class Loss:
    """What it costs: so many messages are on record in the logs of these shards, in that folder."""

    owner: str
    shards: list[int]
    sent: int


def estimate(database: Engine, log_dir: Path, name: str, folder: str) -> Loss:
    """`folder` is a path, or the beginning of the name that `status` shows. Raises BadRequest, UnknownCampaign,
    UnknownFolder, FolderAlive, WrongState, LogUnusable."""
    with database.connect() as connection:
        return _loss(connection, log_dir, check_name(name), folder)


def abandon(database: Engine, log_dir: Path, name: str, folder: str, by: Actor | None = None) -> Loss:
    """Do it, and have a paused or failed campaign go on. Raises as `estimate` does."""

    def change(connection: Connection) -> Loss:
        loss = _loss(connection, log_dir, check_name(name), folder, to_change=True)
        campaign = campaigns.find(connection, check_name(name))
        if campaign is None:
            raise UnknownCampaign(name)
        if campaign.state is State.FAILED:
            shards.suspect(connection, campaign.id, owner_of(log_dir))
        shards.abandon(connection, campaign.id, loss.owner)
        campaigns.change(connection, campaign.id, Verb.RESUME)  # one that runs goes on running
        before = {"state": campaign.state, "folder": loss.owner[:SHOWN], "tasks": loss.shards, "sent": loss.sent}
        after = {"state": State.RUNNING}
        trail.note(connection, by, Deed.ABANDON, campaign=campaign.name, before=before, after=after)
        return loss

    return write(database, change)


def _loss(connection: Connection, log_dir: Path, name: str, folder: str, *, to_change: bool = False) -> Loss:
    campaign = campaigns.find(connection, name, to_change=to_change)
    if campaign is None:
        raise UnknownCampaign(name)
    if campaign.state in {State.FINISHED, State.CANCELLED}:
        raise WrongState(name, Verb.RESUME, campaign.state)
    ours = owner_of(log_dir)
    begins = owner_of(Path(folder)) or folder
    found: dict[str, list[Shard]] = {}
    for each in shards.of_campaign(connection, campaign.id):
        if each.owner.startswith(begins) and each.owner not in {"", ours} and each.state is not ShardState.FINISHED:
            found.setdefault(each.owner, []).append(each)
    if len(found) != 1 or not folder or campaign.gateway != LOG:
        raise UnknownFolder(name, folder)
    ((owner, some),) = found.items()
    if any(each.is_held for each in some):
        raise FolderAlive(owner[:SHOWN])
    return Loss(owner, [each.number for each in some], sum(each.tally.sent for each in some))
