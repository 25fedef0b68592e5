"""Opens a finished campaign again for those who came too late for it, in a shard of their own."""

from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.campaigns.snapshot import Snapshot
from app.domain.actor import Actor, Deed
from app.domain.campaign import State
from app.domain.sharding import IdRange
from app.errors import NotFinished, UnknownCampaign
from app.gateways.log_file.folder import owner_of
from app.store import campaigns, late, trail
from app.store.faults import write
from app.store.late import Late


def send_late(database: Engine, log_dir: Path, now: Snapshot, found: Late, by: Actor | None = None) -> int:
    """Have the campaign go on with these, who were found while it was as in `now`; the number of their shard. It is
    the next one there was then, so of two who do this at once one gets NotFinished, however fast the other's run ends.

    One transaction: before it nobody is sent, after it they are like everybody in a campaign that runs.
    """
    number = max(each.number for each in now.shards) + 1
    ids = IdRange(number, found.ids[0] - 1, found.ids[-1])
    owner = owner_of(log_dir)

    def change(connection: Connection) -> None:
        campaign = campaigns.find(connection, now.campaign.name, to_change=True)
        if campaign is None or campaign.id != now.campaign.id:
            raise UnknownCampaign(now.campaign.name)
        if not campaigns.reopen(connection, campaign):
            raise NotFinished(campaign.name, campaign.state)
        campaigns.add_late_shard(connection, campaign.id, ids, owner, len(found.ids))
        late.insert(connection, campaign.id, number, found)
        after = {"state": State.RUNNING, "task": number, "customers": len(found.ids)}
        before = {"state": campaign.state}
        trail.note(connection, by, Deed.SEND_LATE, campaign=campaign.name, before=before, after=after)

    try:
        write(database, change)
    except IntegrityError as error:  # a second run came and went since
        raise NotFinished(now.campaign.name, State.RUNNING) from error
    return number
