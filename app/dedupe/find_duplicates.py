"""Finds who of a campaign shares a mobile number with a lower id, before the first message is sent.

Reads every number once, in threads (the database does most of the work), into sorted runs in files; merges them by
ascending number; asks for names only where a number stands twice. Memory grows with those who are found, by 16 bytes
for each, not with the customers. The result and the word that the campaign is prepared are one transaction. Whoever
begins anew finds the finished runs there, as long as they are fresh and the campaign was not halted since.
"""

import fcntl
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine

from app.dedupe import numbers
from app.dedupe.number_runs import LOWEST_NUMBER, Run, RunReader, among, numbers_of
from app.dedupe.packed_numbers import Numbers, join
from app.dedupe.repeats import NOBODY, Repeats, gather, repeated, without_lowest
from app.domain.campaign import State
from app.domain.sharding import spans
from app.errors import LogUnusable, ShardTaken
from app.gateways.log_file.folder import make_folder
from app.store import campaigns, chosen, duplicates, shards
from app.store.campaigns import Campaign
from app.store.faults import write

log = logging.getLogger(__name__)

THREADS = 2
"""Who reads. More do not help: the database's own work fills two cores."""
RUN_IDS = 250_000
MOST_RUN_IDS = 2**20
MANY_RUNS = 1_000
MERGED_AT_ONCE = 125_000
"""Keys that all runs together hold in memory while they are merged, eight bytes each and as much again a few times."""
LEAST_BLOCK = 1_000
"""Keys that a run holds at least."""
LOOK_EVERY_S = 0.25
"""How often the campaign's state is looked at: a pause ends the preparation in less than a second."""


class _Stopped(Exception):
    """Told to stop, or the campaign is not running any more."""


class _Removed(Exception):
    """The folder is not there any more: somebody else was done with it."""


class _Watch:
    """Whether to go on, asked as often as one likes."""

    def __init__(self, database: Engine, campaign_id: int, should_stop: Callable[[], bool]) -> None:
        self._database = database
        self._campaign_id = campaign_id
        self._should_stop = should_stop
        self._look_at = 0.0

    def check(self) -> None:
        """Raises _Stopped."""
        if self._should_stop():
            raise _Stopped
        if time.monotonic() >= self._look_at:
            with self._database.connect() as connection:
                campaign = campaigns.get(connection, self._campaign_id)
            if campaign is None or campaign.state is not State.RUNNING:
                raise _Stopped
            self._look_at = time.monotonic() + LOOK_EVERY_S


def find_duplicates(database: Engine, log_dir: Path, campaign_id: int, should_stop: Callable[[], bool]) -> bool:
    """Prepare the campaign; whether it is prepared now. False when told to stop, or when it is not running.

    Raises ShardTaken while another process prepares it, LogUnusable when the files cannot be written now, and what the
    database raises; whatever happens, the next call goes on.
    """
    with database.connect() as connection:
        campaign = campaigns.get(connection, campaign_id)
        covered = spans(shards.of_campaign(connection, campaign_id))
    if campaign is None or not campaign.is_preparing:
        return campaign is not None and campaign.state is State.RUNNING
    watch = _Watch(database, campaign_id, should_stop)
    try:
        with _place(log_dir, campaign) as folder:
            try:
                runs = _runs(folder, covered)
                _read(database, campaign, runs, watch)
                prepared = _note(database, campaign_id, _merge(database, campaign.audience, runs, watch))
            except _Stopped:
                prepared = False
        _forget_over(database, folder.parent)
    except OSError as error:
        raise LogUnusable("log_unusable.duplicates", path=log_dir, why=error.strerror) from error
    return prepared


def _note(database: Engine, campaign_id: int, found: Repeats) -> bool:
    def note(connection: Connection) -> bool:
        prepared = campaigns.note_prepared(connection, campaign_id)
        if prepared:
            duplicates.insert(connection, campaign_id, found)
        return prepared

    return write(database, note)


@contextmanager
def _place(log_dir: Path, campaign: Campaign) -> Iterator[Path]:
    """The campaign's folder of runs, locked. Raises ShardTaken."""
    make_folder(log_dir)
    folder = log_dir / ".numbers" / _folder_name(campaign)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        with suppress(_Removed), _locked(folder) as is_ours:
            if not is_ours:
                raise ShardTaken("shard_taken.preparing", campaign_id=campaign.id)
            yield folder
            return


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether nobody else has this folder; nobody will until the end of the block. Raises _Removed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _Removed from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = True
        except BlockingIOError:
            is_ours = False
        if is_ours and not os.fstat(descriptor).st_nlink:  # between our look and our lock
            raise _Removed
        yield is_ours
    finally:
        os.close(descriptor)


def _forget_over(database: Engine, home: Path) -> None:
    """Remove the folders of campaigns that are not to be prepared any more, as after a `kill -9` and a cancel. Others
    do so at the same time. One that cannot be removed stays, for the campaign is prepared all the same."""
    # First, for a campaign that comes after it would not be among the wanted.
    folders = [each for each in home.iterdir() if re.fullmatch(_FOLDER_NAME, each.name)]
    with database.connect() as connection:
        wanted = {_folder_name(each) for each in campaigns.newest_first(connection) if each.is_to_be_prepared}
    for each in folders:
        if each.name not in wanted:
            try:
                with suppress(_Removed), _locked(each) as is_nobodys:
                    if is_nobodys:
                        shutil.rmtree(each)
            except OSError as error:
                log.warning("numbers of a campaign that is over stay", extra={"folder": each, "error": error.strerror})


_FOLDER_NAME = r"\d+-\d+\.\d{3}(-\d+)?"


def _folder_name(campaign: Campaign) -> str:
    """Tells the campaign from one of an earlier database, and one that was resumed from itself before: numbers change
    while it is paused."""
    return f"{campaign.id}-{campaign.created_at.timestamp():.3f}-{campaign.halted_ms}"


def _runs(folder: Path, covered: Sequence[tuple[int, int]]) -> list[Run]:
    """The runs that hold everyone in the ranges that are covered by shards, for nobody else has a turn: of 250,000 ids;
    of fewer where some thread would have none, of more where there would be very many."""
    in_all = sum(to_id - after_id for after_id, to_id in covered)
    ids = min(max(min(RUN_IDS, -(-in_all // THREADS)), in_all // MANY_RUNS), MOST_RUN_IDS)
    ranges = [(each, min(each + ids, to_id)) for after_id, to_id in covered for each in range(after_id, to_id, ids)]
    return [Run(folder / f"{number}.run", *each) for number, each in enumerate(ranges)]


def _read(database: Engine, campaign: Campaign, runs: list[Run], watch: _Watch) -> None:
    """Write every run that is not there yet."""
    enough = threading.Event()

    def write(run: Run) -> None:
        if enough.is_set() or run.is_whole():
            return
        pages = []
        for page in (_chosen_pages if campaign.chosen else _pages)(database, campaign, run):
            if enough.is_set():
                return
            pages.append(page)
        run.write(pages)

    with ThreadPoolExecutor(THREADS, thread_name_prefix="numbers") as pool:
        waiting: set[Future[None]] = {pool.submit(write, run) for run in runs}
        try:
            while waiting:
                watch.check()
                done, waiting = wait(waiting, LOOK_EVERY_S, FIRST_COMPLETED)
                for each in done:
                    each.result()
        finally:
            enough.set()
            pool.shutdown(cancel_futures=True)


def _pages(database: Engine, campaign: Campaign, run: Run) -> Iterator[Numbers]:
    """Everyone of a run, in pages that widen where few live."""
    after_id, width = run.after_id, numbers.PAGE_ROWS
    with database.connect() as connection:
        while after_id < run.to_id:
            to_id = min(after_id + width, run.to_id)
            page = numbers.page(connection, campaign.audience, after_id, to_id)
            yield page
            after_id, width = to_id, numbers.PAGE_ROWS if len(page[0]) > numbers.PAGE_ROWS // 4 else width * 4


def _chosen_pages(database: Engine, campaign: Campaign, run: Run) -> Iterator[Numbers]:
    """Those of a run whom the campaign is for."""
    with database.connect() as connection:
        ids = np.array(chosen.between(connection, campaign.id, run.after_id, run.to_id), np.uint64)
        for some in numbers.slices(ids):
            yield numbers.page(connection, campaign.audience, int(some[0]) - 1, int(some[-1]), some)
    if not len(ids):
        yield NOBODY


def _merge(database: Engine, audience: str, runs: list[Run], watch: _Watch) -> Repeats:
    """Who is not to be sent."""
    found: list[Repeats] = []
    readers = [RunReader(run, max(MERGED_AT_ONCE // len(runs), LEAST_BLOCK)) for run in runs]
    held = NOBODY
    while readers:
        watch.check()
        up_to = min((each.sure_up_to for each in readers if each.sure_up_to is not None), default=None)
        parts = [(each, each.take(up_to)) for each in readers]
        shared = repeated([numbers_of(keys) for _, keys in parts] + [held[1]], up_to)
        several = [
            (each.ids(keys), numbers_of(keys)) for each, all_keys in parts if len(keys := among(all_keys, shared))
        ]
        greeted = _with_name(database, audience, join([*several, held]), watch)
        later, held = without_lowest(greeted, up_to)
        if len(later.ids):
            later.numbers[:] += np.uint64(LOWEST_NUMBER)
            found.append(later)
        readers = [each for each in readers if not each.is_done]
    return gather(found)


def _with_name(database: Engine, audience: str, people: Numbers, watch: _Watch) -> Numbers:
    """Those of them who can be greeted: a number is not taken by someone who gets no message."""
    ids, digits = people
    if len(ids) < 2:  # then there is nobody to share with
        return people
    nameless: list[int] = []
    for some in numbers.slices(np.sort(ids)):
        watch.check()
        with database.connect() as connection:
            nameless += numbers.without_name(connection, audience, some)
    if not nameless:
        return people
    can_be = np.isin(ids, np.array(nameless, np.uint64), invert=True)
    return ids[can_be], digits[can_be]
