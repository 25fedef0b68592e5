"""What of a campaign's messages can be read here, and where the rest lies."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from app.campaigns.snapshot import Snapshot
from app.domain.campaign import LOG
from app.gateways.log_file.folder import SHOWN, log_path, owner_of
from app.sentence import Sentence
from app.store.database import host_of
from app.store.log_parts import Part, end_of, lying_elsewhere, lying_in, whole
from app.store.shards import Shard


class Place(NamedTuple):
    """Where logs are read."""

    log_dir: Path
    folder: str
    """Its name, '' where no log was ever made."""
    host: str


def place_of(database: Engine, log_dir: Path) -> Place:
    """Ours. Raises LogUnusable."""
    return Place(log_dir, owner_of(log_dir), host_of(database))


def read_here(place: Place, campaign: str, shard: Shard, parts: Sequence[Part]) -> list[Part]:
    """The parts of a shard in this folder. A log that lies in another folder as a whole and is here as well was copied,
    and counts as being here. So does one that nobody has begun, and one of this host where there is no folder now."""
    here = lying_in(parts, place.folder)
    rest = lying_elsewhere(parts, place.folder)
    if here or not (rest or parts):
        return here or [whole(shard, place.folder)]
    is_gone = not place.folder and all(each.host in {"", place.host} for each in rest)
    is_in_one = len({each.folder for each in rest}) == 1
    return rest if is_in_one and (is_gone or _has_something(log_path(place.log_dir, campaign, shard.number))) else []


def _has_something(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def read_elsewhere(here: Iterable[Part], parts: Iterable[Part]) -> list[Part]:
    """The other ones."""
    known = {each.number for each in here}
    return [each for each in parts if each.number not in known and not each.is_empty]


def end_here(here: Sequence[Part]) -> int:
    """How far a log here is on record."""
    return end_of(here, here[0].folder) if here else 0


def elsewhere(place: Place, now: Snapshot) -> list[Part]:
    """Every part of a campaign that cannot be read here."""
    found: list[Part] = []
    for shard in now.shards if now.campaign.gateway == LOG else []:
        parts = now.parts[shard.number]
        found += read_elsewhere(read_here(place, now.campaign.name, shard, parts), parts)
    return found


def told(parts: Iterable[Part], ours: str) -> list[Sentence]:
    """A sentence for each folder that these lie in; `ours` is the host where it is said."""
    folders: dict[str, list[Part]] = {}
    for each in parts:
        folders.setdefault(each.folder, []).append(each)
    return [_told(folder, some, ours) for folder, some in folders.items()]


def _told(folder: str, some: Sequence[Part], ours: str) -> Sentence:
    facts = {
        "count": sum(each.tally.sent for each in some),
        "tasks": ", ".join(str(number) for number in sorted({each.shard for each in some})),
        "folder": folder[:SHOWN],
    }
    host = next((each.host for each in reversed(some) if each.host), "")
    if not host:
        return Sentence("lies_elsewhere.unnoted", **facts)
    if host == ours:
        return Sentence("lies_elsewhere.same_host", **facts)
    return Sentence("lies_elsewhere", host=host, **facts)
