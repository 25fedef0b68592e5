"""Has messages of a campaign tried again that came to nothing, or of which nobody knows what they came to."""

from sqlalchemy import Connection, Engine

from app.campaigns.snapshot import Snapshot
from app.domain.actor import Actor, Deed
from app.domain.campaign import LOG, State
from app.domain.delivery import RETRIABLE, Delivery
from app.errors import NotRetriable, UnknownCampaign
from app.store import campaigns, messages, retries, trail
from app.store.faults import write
from app.store.messages import Message

AT_ONCE = 500
"""Messages in one transaction, for which their shards are held up."""
ALLOWED = frozenset({State.RUNNING, State.PAUSED, State.FINISHED})


def check(now: Snapshot, state: Delivery) -> int:
    """How many there are. Raises NotRetriable and Pruned."""
    campaign = now.campaign
    if state not in RETRIABLE:
        raise NotRetriable("not_retriable.kind", what=state, known=", ".join(sorted(RETRIABLE)))
    if campaign.gateway == LOG:
        raise NotRetriable("not_retriable.log", campaign=campaign.name)
    campaign.check_whole()
    if campaign.state not in ALLOWED:
        raise NotRetriable("not_retriable", campaign=campaign.name, state=campaign.state)
    return now.tally.of(state)


def retry(database: Engine, now: Snapshot, state: Delivery, by: Actor | None = None) -> int:
    """Those who are in this state are due again, and a campaign that is finished runs; how many there were. One that is
    paused stays so. Raises NotRetriable, UnknownCampaign and Pruned.

    Each batch stands alone, with its counts, its shards and its campaign: killed at any point, the others are as they
    were. Nobody is found twice, for ids only rise.
    """
    count = 0
    for shard in now.shards:
        if shard.late or not shard.tally.of(state):
            continue
        after_id = shard.after_id
        while rows := _page(database, now.campaign.id, after_id, shard.to_id, state):
            after_id = rows[-1].customer_id
            count += _change(database, now, rows, state, by, is_first=not count)
    return count


def _page(database: Engine, campaign_id: int, after_id: int, to_id: int, state: Delivery) -> list[Message]:
    with database.connect() as connection:
        return messages.page(connection, campaign_id, after_id, to_id, AT_ONCE, state)


def _change(
    database: Engine, now: Snapshot, rows: list[Message], state: Delivery, by: Actor | None, *, is_first: bool
) -> int:
    numbers, ids = {each.shard for each in rows}, [each.customer_id for each in rows]

    def unit(connection: Connection) -> int:
        campaign = campaigns.find(connection, now.campaign.name, to_change=True)
        if campaign is None or campaign.id != now.campaign.id:
            raise UnknownCampaign(now.campaign.name)
        campaign.check_whole()
        if campaign.state not in ALLOWED:
            raise NotRetriable("not_retriable", campaign=campaign.name, state=campaign.state)
        count = retries.try_again(connection, campaign.id, numbers, ids, state)
        if count and campaign.state is State.FINISHED:
            campaigns.reopen(connection, campaign)
        if count and is_first:
            before = {"state": campaign.state, "messages": state, "count": now.tally.of(state)}
            after = {"state": State.RUNNING if campaign.state is State.FINISHED else campaign.state}
            trail.note(connection, by, Deed.RETRY, campaign=campaign.name, before=before, after=after)
        return count

    return write(database, unit)
