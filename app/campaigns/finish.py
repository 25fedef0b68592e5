"""Ends what is complete: a shard whose every id is done, a campaign whose every shard is."""

from pathlib import Path

from sqlalchemy import Connection, Engine

from app.domain.campaign import LOG, State, Verb
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence
from app.store import campaigns, log_parts, shards, suspects
from app.store.campaigns import Campaign
from app.store.database import host_of
from app.store.faults import write
from app.store.shards import Shard


def close_shard(database: Engine, campaign_id: int, number: int) -> bool:
    """Whether this closed it: it may be closed already, by the report of a task that died before it was noted."""
    return write(database, lambda connection: shards.finish(connection, campaign_id, number))


def close_complete(
    database: Engine, log_dir: Path, owner: str, campaign_id: int | None = None
) -> list[tuple[int, State]]:
    """Finish every running campaign, or this one, of which no shard is open, and give its id and new state. It fails
    instead when a log in our folder is not as long as was written to it. Raises what the database raises."""
    with database.connect() as connection:
        complete = campaigns.complete(connection, campaign_id)
    states = [(campaign.id, _close(database, log_dir, owner, campaign)) for campaign in complete]
    return [(campaign_id, state) for campaign_id, state in states if state]


def _close(database: Engine, log_dir: Path, owner: str, campaign: Campaign) -> State | None:
    """The state that it has now, None when somebody else was quicker."""
    damage = _find_damage(database, log_dir, owner, campaign)
    if not damage:
        finished = write(database, lambda connection: campaigns.finish_if_complete(connection, campaign.id))
        return State.FINISHED if finished else None
    return State.FAILED if fail(database, campaign, damage) else None


def fail(database: Engine, campaign: Campaign, why: Sentence, damaged: Shard | None = None) -> bool:
    """The campaign fails; whether it did so now. Where its logs lie in several folders, it says on which host.
    `damaged`: the shard whose log in its folder is, which is compared there before it goes on. One that was paused
    meanwhile fails as well: nobody else may take its shard up, and who lets it go on is told."""

    def change(connection: Connection) -> bool:
        facts = {"host": host_of(connection)} if log_parts.is_spread(connection, campaign.id) else {}
        has_failed = campaigns.change(connection, campaign.id, Verb.FAIL, Sentence(why.code, **why.facts, **facts))
        if damaged and (has_failed or campaigns.is_failed(connection, campaign.id)):
            suspects.suspect_one(connection, campaign.id, damaged.number, damaged.owner)
        return has_failed

    return write(database, change)


def _find_damage(database: Engine, log_dir: Path, owner: str, campaign: Campaign) -> Sentence | None:
    """About the first log here that is too short, or too long where its shard ended here: what is too much in another
    one is cut off, see release.py."""
    if campaign.gateway != LOG or not owner:  # no log was ever made in our folder
        return None
    with database.connect() as connection:
        every = shards.of_campaign(connection, campaign.id)
        parts = log_parts.of_shards(connection, every)
    for shard in every:
        is_ours = shard.owner == owner
        position = log_parts.end_of(parts[shard.number], owner)
        if not (is_ours or position):
            continue
        path = log_path(log_dir, campaign.name, shard.number)
        try:
            size = path.stat().st_size
        except OSError as error:
            return Sentence("log_damaged.missing", path=path, why=error.strerror)
        if size < position or (is_ours and size > position):
            return Sentence("log_damaged.short", path=path, size=size, position=position)
    return None
