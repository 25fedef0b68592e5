"""How far campaigns got, from the database."""

from dataclasses import dataclass

from sqlalchemy import Engine

from app.domain.campaign import ShardState, State
from app.domain.progress import ShardProgress
from app.domain.tally import Tally
from app.errors import UnknownCampaign
from app.store import campaigns, shards
from app.store.campaigns import Campaign
from app.store.shards import Shard

CAMPAIGNS_AT_ONCE = 1_000
"""Whose shards are read with one statement."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A campaign and its shards at one moment."""

    campaign: Campaign
    shards: list[Shard]

    @property
    def tally(self) -> Tally:
        """Of all shards together. They are counted some moments after the trigger."""
        return sum((each.tally for each in self.shards), Tally())

    @property
    def sent(self) -> int:
        """See Tally.shown_as_sent."""
        return self.tally.shown_as_sent

    @property
    def is_settled(self) -> bool:
        """See Campaign.is_settled."""
        return self.campaign.is_settled(self.tally)

    @property
    def done(self) -> float:
        """The share of the ids that is done, 0 to 1; a campaign without shards is done."""
        total = sum(each.to_id - each.after_id for each in self.shards)
        return sum(each.last_id - each.after_id for each in self.shards) / total if total else 1.0

    @property
    def messages_per_s(self) -> float:
        """While it runs, what the tasks under way do together, each over the time it worked so far; 0 where none is
        seen to work. Once it has finished, all messages over the time from the trigger to the end, without
        pauses."""
        campaign = self.campaign
        if campaign.state is State.RUNNING:
            return sum(each.tally.sent / each.work_ms * 1000 for each in self._under_way())
        return self.sent / campaign.ran_s if campaign.ran_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, at the pace of the tasks under way; None where that cannot be told."""
        if self.campaign.state is not State.RUNNING:
            return None
        ids_per_s = sum((each.last_id - each.after_id) / each.work_ms * 1000 for each in self._under_way())
        left = sum(each.to_id - each.last_id for each in self.shards)
        return left / ids_per_s if ids_per_s else None

    def _under_way(self) -> list[Shard]:
        return [
            each
            for each in self.shards
            if each.state is ShardState.OPEN and each.owner and each.is_held and each.work_ms
        ]

    @property
    def progress(self) -> list[ShardProgress]:
        return [
            ShardProgress(
                number=each.number,
                after_id=each.after_id,
                to_id=each.to_id,
                last_id=each.last_id,
                finished=each.state is ShardState.FINISHED,
                tally=each.tally,
            )
            for each in self.shards
        ]


def snapshot(database: Engine, name: str) -> Snapshot:
    """One campaign. Raises UnknownCampaign."""
    with database.connect() as connection:
        campaign = campaigns.find(connection, name)
        if campaign is None:
            raise UnknownCampaign(name)
        return Snapshot(campaign, shards.of_campaign(connection, campaign.id))


def every_snapshot(database: Engine) -> list[Snapshot]:
    """All campaigns, newest first."""
    with database.connect() as connection:
        every = campaigns.newest_first(connection)
        by_campaign: dict[int, list[Shard]] = {each.id: [] for each in every}
        for at in range(0, len(every), CAMPAIGNS_AT_ONCE):
            some = every[at : at + CAMPAIGNS_AT_ONCE]
            for shard in shards.between(connection, some[-1].id, some[0].id):
                by_campaign[shard.campaign_id].append(shard)
    return [Snapshot(each, by_campaign[each.id]) for each in every]
