"""Checks one shard's rejects: those that the customers call for, the table `rejects`, and the log of rejects."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

from app.domain.reject import Reject
from app.gateways.log_file.rejects import lines, reject_log_path
from app.sentence import Sentence, Some
from app.store import rejects
from app.store.campaigns import Campaign
from app.store.log_parts import Part
from app.store.shards import Shard


class RejectCheck:
    """Gets the rejects of one page after the other, in order, and says at the end what does not fit."""

    def __init__(
        self,
        database: Engine,
        campaign: Campaign,
        shard: Shard,
        parts: Sequence[Part],
        log_dir: Path,
        *,
        is_still: bool,
    ) -> None:
        """`parts`: what lies here; `is_still`: whether nothing may be added to it."""
        self._database = database
        self._shard = shard
        self._parts = parts
        self._is_still = is_still
        self._of = (campaign.id, shard.number)
        self._path = reject_log_path(log_dir, campaign.name, shard.number)
        self._missing: list[int] = []
        self._too_many: list[int] = []

    def compare(self, found: Sequence[Reject], after_id: int, to_id: int) -> None:
        """`found`: whom the customers with `after_id < id <= to_id` call for."""
        recorded = set(self._recorded(after_id, to_id))
        self._missing += [each.customer_id for each in found if each not in recorded]
        self._too_many += sorted(each.customer_id for each in recorded.difference(found))

    def differences(self) -> list[Sentence]:
        """None when everything fits."""
        return list(self._differences())

    def _differences(self) -> Iterator[Sentence]:
        if self._missing:
            yield Sentence("difference.not_rejected", count=len(self._missing), ids=Some(self._missing))
        if self._too_many:
            yield Sentence("difference.rejected", count=len(self._too_many), ids=Some(self._too_many))
        with self._database.connect() as connection:
            recorded = rejects.count(connection, *self._of, self._shard.after_id, self._shard.last_id)
        if recorded.total() != self._shard.tally.rejected:
            yield Sentence("difference.rejects", count=self._shard.tally.rejected, on_record=recorded.total())
        try:
            yield from self._log_differences()
        except OSError as error:
            yield Sentence("log_unusable.unreadable", path=self._path, why=error.strerror)

    def _log_differences(self) -> Iterator[Sentence]:
        if not self._path.exists():
            if next(self._pages_here(), None):
                yield Sentence("difference.no_log", path=self._path)
            return
        line = 1
        with self._path.open("rb") as log:
            for page in self._pages_here():
                for reject in page:
                    expected = lines([reject])
                    if log.readline() != expected:
                        yield Sentence("difference.other_from", path=self._path, line=line)
                        return
                    line += 1
            # While the shard is being sent its log may be ahead.
            if self._is_still and log.read(1):
                yield Sentence("difference.more_from", path=self._path, line=line)

    def _pages_here(self) -> Iterator[list[Reject]]:
        for each in self._parts:
            yield from rejects.pages(self._database, *self._of, each.after_id, each.last_id)

    def _recorded(self, after_id: int, to_id: int) -> list[Reject]:
        if not self._shard.tally.rejected:
            return []
        with self._database.connect() as connection:
            return rejects.between(connection, *self._of, after_id, to_id)
