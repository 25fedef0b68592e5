"""What a report found in one folder, as a document that another host can read; and the whole, made of all of them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.audit.report import Report, TaskReport
from app.campaigns.snapshot import Snapshot
from app.domain.campaign import ShardState
from app.domain.tally import Tally
from app.errors import FileUnusable
from app.sentence import Sentence
from app.store.log_parts import Part
from app.store.shards import Shard


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundPart(_Document):
    """A stretch of ids that was compared, as the record had it then."""

    first_id: int
    last_id: int
    from_byte: int
    to_byte: int
    messages: int


class FoundTask(_Document):
    """What was found of one task."""

    task: int
    parts: list[FoundPart]
    lines: int
    male: int
    female: int
    unknown: int
    rejected: int
    bytes: int
    first_mobile: str
    last_mobile: str
    late: list[int]
    differences: list[str]
    """In words."""


class PartsReport(_Document):
    """What lies in one folder, compared with the database."""

    kind: Literal["sms.parts"] = "sms.parts"
    version: Literal[1] = 1
    campaign: str
    created_at: datetime
    host: str
    folder: str
    made_at: datetime
    tasks: list[FoundTask]


def document(found: Report, folder: str, host: str, made_at: datetime, word: Callable[[Sentence], str]) -> PartsReport:
    """Of a report that was made in this folder."""
    tasks = [_found(each, word) for each in found.tasks if each.parts or each.differences_here]
    campaign = found.campaign
    return PartsReport(
        campaign=campaign.name,
        created_at=campaign.created_at,
        host=host,
        folder=folder,
        made_at=made_at,
        tasks=tasks,
    )


def _found(task: TaskReport, word: Callable[[Sentence], str]) -> FoundTask:
    return FoundTask(
        task=task.task,
        parts=[_as_found(each) for each in task.parts],
        lines=task.tally.sent,
        male=task.tally.male,
        female=task.tally.female,
        unknown=task.tally.neutral,
        rejected=task.tally.rejected,
        bytes=task.bytes,
        first_mobile=task.first_mobile,
        last_mobile=task.last_mobile,
        late=task.late,
        differences=[word(each) for each in task.differences_here],
    )


def _as_found(part: Part) -> FoundPart:
    return FoundPart(
        first_id=part.first_id,
        last_id=part.last_id,
        from_byte=part.from_byte,
        to_byte=part.to_byte,
        messages=part.tally.sent,
    )


def read(path: Path) -> PartsReport:
    """What `report --parts --json` wrote. Raises FileUnusable."""
    try:
        return PartsReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FileUnusable("file_unusable", path=path, why=error.strerror) from error
    except ValidationError as error:
        raise FileUnusable("file_unusable", path=path, why=Sentence("no_parts_report")) from error


def merge(now: Snapshot, documents: Iterable[PartsReport], late_elsewhere: int) -> Report:
    """The whole, as the record has it now. A stretch of which no document tells lies elsewhere; of two documents of a
    folder the newer one counts. Raises FileUnusable for one of another campaign."""
    by_folder: dict[str, PartsReport] = {}
    for each in sorted(documents, key=lambda one: one.made_at):
        if (each.campaign, each.created_at) != (now.campaign.name, now.campaign.created_at):
            facts = {"campaign": now.campaign.name, "host": each.host, "other": each.campaign}
            raise FileUnusable("other_parts_report", **facts)
        by_folder[each.folder] = each
    return Report(
        now.campaign, [_merged(shard, now.parts[shard.number], by_folder) for shard in now.shards], late_elsewhere
    )


def _merged(shard: Shard, parts: Sequence[Part], by_folder: dict[str, PartsReport]) -> TaskReport:
    differences = []
    if (is_finished := shard.state is ShardState.FINISHED) is False:
        done, total = shard.last_id - shard.after_id, shard.to_id - shard.after_id
        differences.append(Sentence("difference.unfinished", count=total, done=done))
    if not _follow(shard, parts):
        differences.append(Sentence("difference.parts"))
    folders: dict[str, list[Part]] = {}
    for part in parts:
        if not part.is_empty:
            folders.setdefault(part.folder, []).append(part)
    compared: list[tuple[list[Part], FoundTask]] = []
    elsewhere: list[Part] = []
    for folder, some in folders.items():
        if folder not in by_folder:
            elsewhere += some
            continue
        its = by_folder[folder]
        found = next((each for each in its.tasks if each.task == shard.number), None)
        if found is None or found.parts != [_as_found(each) for each in some]:
            differences.append(Sentence("difference.other_moment", host=its.host))
            continue
        compared.append((some, found))
        differences += [Sentence("difference.on_host", host=its.host, what=each) for each in found.differences]
    # A folder's first stretch tells who was the first of all, its last one who was the last.
    first = min(compared, key=lambda each: each[0][0].first_id, default=None)
    last = max(compared, key=lambda each: each[0][-1].last_id, default=None)
    return TaskReport(
        task=shard.number,
        tally=_tally(shard, [found for _, found in compared], is_whole=not elsewhere),
        bytes=sum(found.bytes for _, found in compared),
        first_mobile=first[1].first_mobile if first else "",
        last_mobile=last[1].last_mobile if last else "",
        seconds=shard.work_ms / 1000,
        differences=differences,
        late=[number for _, found in compared for number in found.late],
        is_finished=is_finished,
        parts=[part for some, _ in compared for part in some],
        elsewhere=elsewhere,
    )


def _follow(shard: Shard, parts: Sequence[Part]) -> bool:
    """Whether each begins where the one before ends, and they are all that is done."""
    reached = shard.after_id
    for each in parts:
        if not each.is_empty:
            if each.first_id != reached + 1:
                return False
            reached = each.last_id
    return reached == shard.last_id


def _tally(shard: Shard, found: Sequence[FoundTask], *, is_whole: bool) -> Tally:
    known = shard.tally
    return Tally(
        sent=sum(each.lines for each in found),
        male=sum(each.male for each in found),
        female=sum(each.female for each in found),
        neutral=sum(each.unknown for each in found),
        rejected=sum(each.rejected for each in found),
        gone=known.gone if is_whole else 0,
        audience=known.audience if is_whole else None,
    )
