"""Checks one shard's rejects: those that the customers call for, the table `rejects`, and the log of rejects."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

from app.domain.campaign import ShardState
from app.domain.reject import Reject
from app.gateways.log_file.rejects import lines, reject_log_path
from app.store import rejects
from app.store.campaigns import Campaign
from app.store.shards import Shard
from app.wording import counted, these


class RejectCheck:
    """Gets the rejects of one page after the other, in order, and says at the end what does not fit."""

    def __init__(self, database: Engine, campaign: Campaign, shard: Shard, log_dir: Path) -> None:
        self._database = database
        self._shard = shard
        self._path = reject_log_path(log_dir, campaign.name, shard.number)
        self._missing: list[int] = []
        self._too_many: list[int] = []

    def compare(self, found: Sequence[Reject], after_id: int, to_id: int) -> None:
        """`found`: whom the customers with `after_id < id <= to_id` call for."""
        recorded = set(self._recorded(after_id, to_id))
        self._missing += [each.customer_id for each in found if each not in recorded]
        self._too_many += sorted(each.customer_id for each in recorded.difference(found))

    def differences(self) -> list[str]:
        """Sentences; none when everything fits."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        if self._missing:
            who = counted(len(self._missing), "customer is to be rejected", "customers are to be rejected")
            yield f"{who} and not on record so, {these('id', self._missing)}"
        if self._too_many:
            who = counted(
                len(self._too_many), "customer is on record as rejected", "customers are on record as rejected"
            )
            yield f"{who} and not to be so, {these('id', self._too_many)}"
        with self._database.connect() as connection:
            recorded = rejects.count(connection, self._shard.campaign_id, self._shard.after_id, self._shard.last_id)
        if recorded.total() != self._shard.tally.rejected:
            yield f"{counted(self._shard.tally.rejected, 'reject')} counted, {recorded.total():,} on record"
        try:
            yield from self._log_differences(recorded.total())
        except OSError as error:
            yield f"{self._path} cannot be read: {error.strerror}"

    def _log_differences(self, recorded: int) -> Iterator[str]:
        if not self._path.exists():
            if recorded:
                yield f"{self._path} is missing"
            return
        campaign_id, after_id, last_id = self._shard.campaign_id, self._shard.after_id, self._shard.last_id
        line = 1
        with self._path.open("rb") as log:
            for page in rejects.pages(self._database, campaign_id, after_id, last_id):
                for reject in page:
                    expected = lines([reject])
                    if log.readline() != expected:
                        yield f"{self._path} is not what is on record, from line {line:,} on"
                        return
                    line += 1
            # While the shard is being sent its log may be ahead.
            if self._shard.state is ShardState.FINISHED and log.read(1):
                yield f"{self._path} has more than is on record, from line {line:,} on"

    def _recorded(self, after_id: int, to_id: int) -> list[Reject]:
        if not self._shard.tally.rejected:
            return []
        with self._database.connect() as connection:
            return rejects.between(connection, self._shard.campaign_id, after_id, to_id)
