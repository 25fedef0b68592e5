"""Leaves a log as its record says: of a shard of a halted campaign, and of one that goes on in another folder."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from app.campaigns.finish import fail
from app.domain.campaign import LOG, ShardState, State
from app.domain.reject import Reject
from app.errors import LogDamaged, LogUnusable, ShardTaken
from app.gateways.base import Gateway
from app.gateways.log_file.folder import log_path, owner_of
from app.gateways.log_file.journal import LogFile
from app.gateways.log_file.rejects import RejectLog
from app.store import campaigns, log_parts, rejects, shards
from app.store.campaigns import Campaign
from app.store.faults import write
from app.store.log_parts import Part
from app.store.shards import Shard

log = logging.getLogger(__name__)


def let_go(database: Engine, gateway: Gateway, reject_log: RejectLog, campaign_id: int, number: int) -> bool:
    """Cut off what was delivered and is not on record, and note that nobody is at the shard. Gateway and log
    of rejects are the caller's alone. Whether its campaign is halted; while it runs, nothing is changed, unless
    the shard is another folder's now: ours ends where it had got by the record, whatever becomes of the shard.

    A log that is damaged stays as it is, and its campaign fails. Raises LogUnusable.
    """
    with database.connect() as connection:
        log_parts.ask_primary(connection)
        campaign = campaigns.get(connection, campaign_id)
        shard = shards.get(connection, campaign_id, number) if campaign else None
        parts = log_parts.of_shard(connection, shard) if shard else []
    if campaign is None or shard is None:
        return True
    is_halted = campaign.state is not State.RUNNING
    ours = [each for each in parts if each.folder == gateway.owner]
    is_over = shard.state is ShardState.FINISHED and any(each.to_cut for each in ours)
    if is_over or (shard.owner != gateway.owner and ours):  # where it never was, its log is none of ours
        _cut_back(database, gateway, reject_log, shard, parts)
    elif is_halted and shard.owner == gateway.owner and shard.state is not ShardState.FINISHED:
        if shard.state is ShardState.OPEN:  # of a suspect log nobody knows yet where it should end
            try:
                gateway.return_to(shard.log_bytes)
            except LogDamaged as error:
                fail(database, campaign, error.sentence, shard)
            reject_log.rewrite(rejects_of(database, shard, log_parts.lying_in(parts, gateway.owner)))
            _note_cut(database, shard, parts, gateway.owner)
        write(database, lambda connection: shards.let_go(connection, campaign_id, number, gateway.owner))
    return is_halted


def _cut_back(database: Engine, gateway: Gateway, reject_log: RejectLog, shard: Shard, parts: Sequence[Part]) -> None:
    """Of a shard in which nobody goes on in this folder now."""
    folder = gateway.owner
    try:
        gateway.return_to(log_parts.end_of(parts, folder))
    except LogDamaged as error:  # there is nothing to cut; `report` says who has no message
        facts = {"campaign_id": shard.campaign_id, "shard": shard.number, "error": str(error)}
        log.error("log is not what is on record", extra=facts)
    reject_log.rewrite(rejects_of(database, shard, log_parts.lying_in(parts, folder)))
    _note_cut(database, shard, parts, folder)


def _note_cut(database: Engine, shard: Shard, parts: Sequence[Part], folder: str) -> None:
    """Of the parts that were known when it was cut."""
    known = [each.number for each in parts if each.folder == folder and each.to_cut]
    if known:
        of = (shard.campaign_id, shard.number, folder, known)
        write(database, lambda connection: log_parts.note_cut(connection, *of))


def rejects_of(database: Engine, shard: Shard, parts: Sequence[Part]) -> Iterator[Sequence[Reject]]:
    """What stands in the log of rejects beside these parts, page by page."""
    for each in parts:
        to_id = shard.to_id if each.is_open else each.last_id
        yield from rejects.pages(database, shard.campaign_id, shard.number, each.after_id, to_id)


def cut_back_all(database: Engine, log_dir: Path, owner: str) -> None:
    """Do so with every log in this folder whose shard somebody else took up, so that nobody takes for sent what is not
    on record. One that a process still has comes later. Raises what the database raises."""
    with database.connect() as connection:
        found = log_parts.to_cut(connection, owner)
    for campaign_id, number in found:
        with database.connect() as connection:
            campaign = campaigns.get(connection, campaign_id)
        if campaign is None:
            continue
        with suppress(ShardTaken, LogUnusable):
            if log_path(log_dir, campaign.name, number).exists():
                with _opened(log_dir, campaign, number) as logs:
                    let_go(database, *logs, campaign_id, number)
            else:  # removed, as by prune
                write(database, partial(log_parts.note_cut, campaign_id=campaign_id, number=number, folder=owner))


@contextmanager
def _opened(log_dir: Path, campaign: Campaign, number: int) -> Iterator[tuple[LogFile, RejectLog]]:
    gateway = LogFile(log_dir, campaign.name, number)
    reject_log = RejectLog(log_dir, campaign.name, number)
    try:
        yield gateway, reject_log
    finally:
        reject_log.close()
        gateway.close()


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
    ours = owner_of(log_dir)
    left = []
    for shard in held:
        if shard.owner != ours:  # what one that is silent has behind the record counts for nothing
            if shard.is_held:
                left.append(shard.number)
            continue
        try:
            with _opened(log_dir, campaign, shard.number) as logs:
                let_go(database, *logs, campaign.id, shard.number)
        except (ShardTaken, LogUnusable):
            left.append(shard.number)
    return left
