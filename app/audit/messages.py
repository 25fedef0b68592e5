"""Reads the messages of a campaign out of its logs: whole lines, each once, whatever happens to the logs meanwhile.

A log is cut back to what the database has on record whenever its shard is taken up again. So what is on record is
read, and nothing behind it.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.audit.whereabouts import elsewhere, end_here, place_of, read_here, told
from app.campaigns.snapshot import Snapshot, snapshot
from app.domain.campaign import LOG
from app.errors import LogDamaged, LogUnusable, NoLogs, UnknownTask
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence

CHUNK_BYTES = 1 << 20
LOOK_EVERY_S = 0.5
LONGEST_PAUSE_S = 10.0


class Messages:
    """The logs of a campaign, or one of them, as far as they are in this folder. Raises UnknownCampaign, UnknownTask,
    NoLogs, Pruned and LogUnusable."""

    def __init__(self, database: Engine, log_dir: Path, name: str, task: int | None = None) -> None:
        self._database = database
        self._place = place_of(database, log_dir)
        self._name = name
        self._now = snapshot(database, name)
        self._task = task
        if (gateway := self._now.campaign.gateway) != LOG:
            raise NoLogs(name, gateway)
        self._now.campaign.check_whole()
        numbers = [each.number for each in self._now.shards]
        if task is not None and task not in numbers:
            raise UnknownTask(name, task, numbers)
        self._logs = {
            number: _Log(log_path(log_dir, self._now.campaign.name, number))
            for number in (numbers if task is None else [task])
        }

    def elsewhere(self) -> list[Sentence]:
        """Where the rest lies."""
        rest = elsewhere(self._place, self._now)
        return told((each for each in rest if each.shard in self._logs), self._place.host)

    def read(self) -> Iterator[bytes]:
        """What is on record now, some lines at a time: task after task, each in the order it was sent. Raises
        LogDamaged when a log has less, after what it has."""
        yield from self._read(self._now)

    def follow(self, say: Callable[[Sentence], None]) -> Iterator[bytes]:
        """The same, then what comes, until the campaign is over. While a log or the database cannot be read, it is
        tried again with growing pauses; `say` is told so, once."""
        failures = 0
        while True:
            is_over = self._now.campaign.state.is_final
            try:
                for lines in self._read(self._now):
                    failures = 0
                    yield lines
                if is_over:
                    return
                time.sleep(LOOK_EVERY_S)
                self._now = snapshot(self._database, self._name)
                failures = 0
            except (LogDamaged, LogUnusable, DBAPIError) as error:
                if is_over and not isinstance(error, DBAPIError):
                    raise
                failures += 1
                if failures == 1:
                    is_away = isinstance(error, DBAPIError)
                    say(Sentence("trying_again.database") if is_away else Sentence("trying_again", why=error))
                time.sleep(min(LONGEST_PAUSE_S, LOOK_EVERY_S * 2.0 ** min(failures, 10)))

    def _read(self, now: Snapshot) -> Iterator[bytes]:
        for shard in now.shards:
            if log := self._logs.get(shard.number):
                parts = now.parts[shard.number]
                here = read_here(self._place, now.campaign.name, shard, parts)
                yield from log.read_to(end_here(here))


class _Log:
    """One log, and how far it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read_to(self, end: int) -> Iterator[bytes]:
        """What stands up to `end`, which is the end of a line, and was not read before; at most some 1 MiB at once."""
        if end <= self._position:
            return
        try:
            with self._path.open("rb") as log:
                if self._position:  # a log that was made anew may be another one: then this is no line's end
                    log.seek(self._position - 1)
                    if log.read(1) != b"\n":
                        raise LogDamaged("log_damaged.other", path=self._path)
                while self._position < end:
                    piece = log.read(min(CHUNK_BYTES, end - self._position))
                    lines = piece[: piece.rfind(b"\n") + 1] or piece + log.readline(end - self._position - len(piece))
                    if not lines.endswith(b"\n"):
                        size = self._position + len(piece)
                        raise LogDamaged("log_damaged.short", path=self._path, size=size, position=end)
                    self._position += len(lines)
                    yield lines
                    log.seek(self._position)
        except OSError as error:
            raise LogUnusable("log_unusable.unreadable", path=self._path, why=error.strerror) from error
