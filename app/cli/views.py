"""How campaigns look on a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.measure import Measurement
from rich.table import Table

from app.campaigns.abandon import SHOWN
from app.campaigns.snapshot import Snapshot
from app.console import out
from app.domain.campaign import ShardState
from app.domain.differences import Differences
from app.domain.tally import Tally
from app.wording import counted, duration


def campaign_table(snapshots: Iterable[Snapshot]) -> Table:
    """All campaigns, a row each."""
    rows = [
        {
            "campaign": each.campaign.name,
            "state": "running, preparing" if each.campaign.is_preparing else each.campaign.state,
            "tasks": str(len(each.shards)),
            "sent": f"{each.tally.sent:,}",
            **ends(each.tally),
            "done": f"{each.done:.1%}",
            "rate": f"{each.messages_per_s:,.0f}/s" if each.messages_per_s else "",
            "left": "" if each.left_s is None else duration(each.left_s),
            "triggered": f"{each.campaign.created_at:%Y-%m-%d %H:%M:%S} UTC",
        }
        for each in snapshots
    ]
    return table(rows, ("triggered", "tasks", "rate", "gone", "rejected", "audience", "left"))


def shard_table(snapshot: Snapshot) -> Table:
    """One campaign, a row for each task."""
    rows = [
        {
            "task": str(each.number),
            "ids": f"{each.after_id + 1:,} – {each.to_id:,}",
            "state": each.state,
            "sent": f"{each.tally.sent:,}",
            **forms(each.tally),
            **ends(each.tally),
            "done": f"{(each.last_id - each.after_id) / (each.to_id - each.after_id):.1%}",
        }
        for each in snapshot.shards
    ]
    return table(rows, ("先生", "女士", "客户", "ids", "gone", "rejected", "audience"))


def elsewhere(snapshot: Snapshot, owner: str) -> list[str]:
    """Sentences about folders other than `owner` that have logs which are not finished."""
    folders: dict[str, list[str]] = {}
    for each in snapshot.shards:
        if each.owner not in {"", owner} and each.state is not ShardState.FINISHED:
            folders.setdefault(each.owner, []).append(str(each.number))
    return [
        f"task {', '.join(tasks)}: the log is in another folder, {folder[:SHOWN]} (see its file .owner), and goes "
        f"on from there alone; if it is lost: python -m app resume {snapshot.campaign.name} --abandon {folder[:SHOWN]}"
        for folder, tasks in folders.items()
    ]


def differences_line(found: Differences) -> str:
    """What a resume will do about the logs."""
    if not found:
        return f"the logs are right: {counted(found.right, 'message')}"
    parts = [
        f"{counted(found.right, 'message is', 'messages are')} right",
        f"{counted(found.kept, 'reads', 'read')} otherwise than now, and will stay" if found.kept else "",
        f"{counted(found.missing, 'is', 'are')} missing, and will be sent" if found.missing else "",
        f"{counted(found.left_over, 'line stands', 'lines stand')} for nobody on record, and will go"
        if found.left_over
        else "",
    ]
    return f"in the logs {'; '.join(each for each in parts if each)}"


def forms(tally: Tally) -> dict[str, str]:
    """Columns of the forms of address."""
    return {"先生": f"{tally.male:,}", "女士": f"{tally.female:,}", "客户": f"{tally.neutral:,}"}


def ends(tally: Tally) -> dict[str, str]:
    """Columns of those who got no message, and of all."""
    audience = "" if tally.audience is None else f"{tally.audience:,}"
    return {"rejected": f"{tally.rejected:,}", "gone": f"{tally.gone:,}", "audience": audience}


def tally_facts(tally: Tally, *, sent: str = "sent") -> dict[str, int | None]:
    """A tally for `--json`. `sent`: what that count is called."""
    return {
        sent: tally.sent,
        "male": tally.male,
        "female": tally.female,
        "unknown": tally.neutral,
        "rejected": tally.rejected,
        "gone": tally.gone,
        "audience": tally.audience,
    }


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """One campaign for `--json`."""
    campaign, tally = snapshot.campaign, snapshot.tally
    return {
        "campaign": campaign.name,
        "state": campaign.state,
        "preparing": campaign.is_preparing,
        "reason": campaign.reason,
        "template": campaign.template,
        "allow_duplicates": campaign.allow_duplicates,
        "created_at": campaign.created_at.isoformat(),
        "finished_at": campaign.finished_at.isoformat() if campaign.finished_at else None,
        "sent": tally.sent,
        "rejected": tally.rejected,
        "gone": tally.gone,
        "audience": tally.audience,
        "done": round(snapshot.done, 6),
        "rate": round(snapshot.messages_per_s, 1),
        "left_s": None if snapshot.left_s is None else round(snapshot.left_s, 1),
        "tasks": [
            {
                "task": each.number,
                "after_id": each.after_id,
                "to_id": each.to_id,
                "last_id": each.last_id,
                "state": each.state,
                **tally_facts(each.tally),
                "log_bytes": each.log_bytes,
                "folder": each.owner,
            }
            for each in snapshot.shards
        ],
    }


def table(rows: Sequence[dict[str, str]], expendable: Iterable[str], *, has_total: bool = False) -> Table:
    """Rows that all have the same columns. Where the terminal is too narrow, columns are left out in the order of
    `expendable`, rather than numbers cut; `has_total`: the last row stands below a line."""
    columns = list(rows[0]) if rows else []
    for name in ("", *expendable):
        columns = [each for each in columns if each != name]
        made = Table(*columns)
        for number, row in enumerate(rows):
            if has_total and number == len(rows) - 1:
                made.add_section()
            made.add_row(*(row[each] for each in columns))
        if Measurement.get(out, out.options.update(max_width=10_000), made).maximum <= out.width:
            break
    return made
