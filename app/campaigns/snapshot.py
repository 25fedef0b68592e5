"""How far campaigns got, from the database."""

from dataclasses import dataclass, field

from sqlalchemy import Engine

from app.campaigns.shown import Shown
from app.domain.campaign import LOG, ShardState, check_name
from app.domain.progress import ShardProgress
from app.domain.tally import Tally
from app.store import campaigns, contacts, drains, log_parts, shards
from app.store.log_parts import Parts
from app.store.shards import Shard

CAMPAIGNS_AT_ONCE = 1_000
"""Whose shards are read with one statement."""


@dataclass(frozen=True, slots=True)
class _Pace:
    """See shown.Pace."""

    messages_per_s: float
    ids_per_s: float


@dataclass(frozen=True, slots=True)
class Snapshot(Shown):
    """A campaign and its shards at one moment."""

    shards: list[Shard]
    parts: Parts = field(default_factory=dict)
    """Where the messages of each shard lie; of one campaign that goes to logs, not of every one at once."""

    @property
    def tally(self) -> Tally:
        return sum((each.tally for each in self.shards), Tally())

    @property
    def done_ids(self) -> int:
        return sum(each.last_id - each.after_id for each in self.shards)

    @property
    def all_ids(self) -> int:
        return sum(each.to_id - each.after_id for each in self.shards)

    @property
    def pace(self) -> _Pace:
        under_way = self._under_way()
        return _Pace(
            messages_per_s=sum(each.tally.sent / each.work_ms * 1000 for each in under_way),
            ids_per_s=sum((each.last_id - each.after_id) / each.work_ms * 1000 for each in under_way),
        )

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
        campaign = campaigns.named(connection, name)
        its_shards = shards.of_campaign(connection, campaign.id)
        parts = log_parts.of_shards(connection, its_shards) if campaign.gateway == LOG else {}
        drained, away = drains.every(connection), contacts.whys(connection)
    return Snapshot(campaign, drained.get(campaign.gateway), away.get(campaign.gateway), its_shards, parts)


def whole_snapshot(database: Engine, name: str) -> Snapshot:
    """One campaign of which everything is there. Raises BadRequest for what is no name, UnknownCampaign, Pruned."""
    now = snapshot(database, check_name(name))
    now.campaign.check_whole()
    return now


def every_snapshot(database: Engine) -> list[Snapshot]:
    """All campaigns, newest first."""
    with database.connect() as connection:
        every = campaigns.newest_first(connection)
        by_campaign: dict[int, list[Shard]] = {each.id: [] for each in every}
        for at in range(0, len(every), CAMPAIGNS_AT_ONCE):
            some = every[at : at + CAMPAIGNS_AT_ONCE]
            for shard in shards.between(connection, some[-1].id, some[0].id):
                by_campaign[shard.campaign_id].append(shard)
        drained, away = drains.every(connection), contacts.whys(connection)
    return [Snapshot(each, drained.get(each.gateway), away.get(each.gateway), by_campaign[each.id]) for each in every]
