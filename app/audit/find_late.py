"""Finds who of a finished campaign came too late: in the range of the trigger, and no message in any log.

A row that commits after its shard has passed it is not met. Nothing in the table tells such a customer from one who was
sent a message and has got another number since, but the log does: its lines are in the order of ids. Where no line
stands between those of two neighbours, nobody between them was sent. Where one does that is nobody's now, those
between them are in doubt, and are left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.audit.late_search import LateSearch, Person, persons
from app.campaigns.snapshot import Snapshot
from app.domain.campaign import LOG, State
from app.domain.greeting import Template, compile_template
from app.domain.page import prepare
from app.domain.sharding import gaps
from app.errors import LateUnclear, NotFinished
from app.gateways.log_file.folder import log_path, owner_of
from app.gateways.log_file.reader import LogReader
from app.sentence import Sentence
from app.store import late, log_parts
from app.store.customers import Pages
from app.store.late import Late
from app.store.shards import Shard

PAGE_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """Who came late, and ids of those of whom the log does not tell."""

    late: Late
    doubtful: list[int]


def find_late(database: Engine, log_dir: Path, now: Snapshot) -> Found:
    """Nothing is changed. Raises NotFinished, LateUnclear where the logs do not tell, LogUnusable, and what the
    database raises."""
    if now.campaign.state is not State.FINISHED:
        raise NotFinished(now.campaign.name, now.campaign.state)
    template = compile_template(now.campaign.template, None)
    _check(log_dir, now, template)
    originals = [each for each in now.shards if not each.late]
    found = _elsewhere(database, now, template, originals)
    doubtful: list[int] = []
    for shard in originals:
        log = LogReader(log_path(log_dir, now.campaign.name, shard.number))
        search = LateSearch(database, now.campaign, log, shard, template)
        search.run()
        found += search.late
        doubtful += search.doubtful
    found.sort(key=lambda each: each.customer_id)
    not_sent = () if now.campaign.allow_duplicates else _numbers_taken(log_dir, now, template, found)
    return Found(Late([each.customer_id for each in found], frozenset(not_sent)), doubtful)


def _check(log_dir: Path, now: Snapshot, template: Template) -> None:
    if now.campaign.gateway != LOG:
        raise LateUnclear(Sentence("late_unclear.network", gateway=now.campaign.gateway))
    if not template.shows_mobile:
        raise LateUnclear(Sentence("late_unclear.no_mobile"))
    ours = owner_of(log_dir)
    _check_all_here(log_dir, now, ours)
    for shard in now.shards:
        parts = now.parts[shard.number]
        path = log_path(log_dir, now.campaign.name, shard.number)
        size = path.stat().st_size if path.exists() else 0
        if size != (recorded := log_parts.end_of(parts, ours)):
            raise LateUnclear(Sentence("late_unclear.size", path=path, size=size, recorded=recorded))


def _check_all_here(log_dir: Path, now: Snapshot, ours: str) -> None:
    """A number that has a message in any log gets none, so all have to be read; and they change while others send."""
    strange: dict[int, set[str]] = {}
    for shard in now.shards:
        parts = log_parts.lying_elsewhere(now.parts[shard.number], ours)
        if shard.owner != ours or parts:
            strange[shard.number] = {each.host or each.folder for each in parts} or {shard.owner}
    if strange:
        tasks, hosts = ", ".join(map(str, strange)), ", ".join(sorted(set().union(*strange.values())))
        raise LateUnclear(Sentence("late_unclear.elsewhere", tasks=tasks, folder=log_dir, hosts=hosts))


def _elsewhere(database: Engine, now: Snapshot, template: Template, originals: Sequence[Shard]) -> list[Person]:
    """Those in ranges in which nobody lived at the trigger, so that no shard has them. Of some who were chosen all are
    in shards."""
    if now.campaign.chosen:
        return []
    with database.connect() as connection:
        listed = {*late.of_campaign(connection, now.campaign.id).ids}
    found: list[Person] = []
    for after_id, to_id in gaps(originals):
        pages = Pages(now.campaign.audience, to_id, PAGE_ROWS, template.columns)
        while after_id < to_id:
            with database.connect() as connection:
                people, after_id = pages.after(connection, after_id)  # noqa: PLW2901  it is the cursor
            found += [each for each in persons(prepare(template, people)) if each.customer_id not in listed]
    return found


def _numbers_taken(log_dir: Path, now: Snapshot, template: Template, found: Sequence[Person]) -> list[int]:
    """Ids of those whose number has a message in some log, or is that of somebody before them on the list."""
    numbers = {number for each in found if each.line and (number := template.addressee(each.line))}
    sent: set[bytes] = set()
    for shard in now.shards if numbers else ():
        for _, line in LogReader(log_path(log_dir, now.campaign.name, shard.number)).lines(0):
            if (number := template.addressee(line)) in numbers:
                sent.add(number)
    taken = []
    for each in found:
        number = template.addressee(each.line) if each.line else None
        if number in sent:
            taken.append(each.customer_id)
        elif number:
            sent.add(number)
    return taken
