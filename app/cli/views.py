"""How campaigns look on a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.measure import Measurement
from rich.table import Table

from app.campaigns.snapshot import Snapshot
from app.catalogue import say, word
from app.console import out
from app.domain.audience import CUSTOMERS
from app.domain.campaign import LOG, ShardState
from app.domain.delivery import Delivery
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.domain.price import Price
from app.domain.tally import Tally
from app.gateways.log_file.folder import SHOWN
from app.sentence import Some
from app.store.campaigns import Campaign
from app.store.log_parts import Part
from app.wording import duration


def campaign_table(snapshots: Iterable[Snapshot]) -> Table:
    """All campaigns, a row each."""
    snapshots = list(snapshots)
    states = states_of([each.tally for each in snapshots])
    has_others = any(each.campaign.audience != CUSTOMERS for each in snapshots)
    rows = [
        {
            "campaign": each.campaign.name,
            "state": say(f"state.{each.state_word}"),
            **({"audience_name": each.campaign.audience} if has_others else {}),
            "tasks": str(len(each.shards)),
            "sent": f"{each.sent:,}",
            **in_states(each.tally, states),
            **ends(each.tally),
            "done": f"{each.done:.1%}",
            "rate": say("rate", rate=each.messages_per_s) if each.messages_per_s else "",
            "left": "" if each.left_s is None else duration(each.left_s),
            "triggered": f"{each.campaign.created_at:%Y-%m-%d %H:%M:%S} UTC",
        }
        for each in snapshots
    ]
    return table(rows, ("triggered", "tasks", "rate", "gone", "rejected", "audience", "left", *EXPENDABLE_STATES))


def held_up(snapshots: Iterable[Snapshot]) -> list[str]:
    """A sentence for each gateway that is drained, or that nobody can reach, while some of these run by it."""
    found = {each.campaign.gateway: each.held_up_by for each in snapshots if each.held_up_by}
    return [word(sentence) for sentence in found.values()]


def pruned(campaign: Campaign) -> list[str]:
    """A sentence where the details of a campaign were removed."""
    at = campaign.pruned_at
    return [say("pruned.counts", at=f"{at:%Y-%m-%d}", campaign=campaign.name)] if at else []


def chosen(campaign: Campaign) -> list[str]:
    """A sentence where it is for some of its audience."""
    kind, _, count = campaign.chosen.partition(" ")
    if not kind:
        return []
    if kind == "sample":
        return [say("status.sample", count=int(count), audience=campaign.audience)]
    return [say("status.only_ids", audience=campaign.audience)]


def learning(campaign: Campaign, tally: Tally) -> list[str]:
    """A sentence where a campaign is over and receipts may change it yet."""
    until = campaign.learns_until
    if until is None or campaign.is_settled(tally):
        return []
    return [say("learning", count=tally.may_learn, until=f"{until:%Y-%m-%d %H:%M} UTC")]


def shard_table(snapshot: Snapshot) -> Table:
    """One campaign, a row for each task."""
    states = states_of([each.tally for each in snapshot.shards])
    rows = [
        {
            "task": str(each.number),
            "ids": say("second_run.ids") if each.late else f"{each.after_id + 1:,} – {each.to_id:,}",
            "state": say(f"shard_state.{each.state}"),
            "sent": f"{each.tally.shown_as_sent:,}",
            **in_states(each.tally, states),
            **forms(each.tally),
            **ends(each.tally),
            "done": f"{(each.last_id - each.after_id) / (each.to_id - each.after_id):.1%}",
        }
        for each in snapshot.shards
    ]
    return table(rows, (MAN, WOMAN, UNKNOWN, "ids", "gone", "rejected", "audience", *EXPENDABLE_STATES))


def elsewhere(snapshot: Snapshot, owner: str) -> list[str]:
    """Sentences about folders other than `owner` that have logs which are to be compared."""
    folders: dict[str, list[str]] = {}
    for each in snapshot.shards if snapshot.campaign.gateway == LOG else []:
        if each.owner not in {"", owner} and each.state is ShardState.SUSPECT:
            folders.setdefault(each.owner, []).append(str(each.number))
    return [
        say("elsewhere", tasks=", ".join(tasks), folder=folder[:SHOWN], campaign=snapshot.campaign.name)
        for folder, tasks in folders.items()
    ]


def late_sentences(ids: Sequence[int], taken: int, doubtful: Sequence[int]) -> list[str]:
    """Who came late, how many of them get no message, and who is left out."""
    said = [say("second_run.found", count=len(ids), ids=Some(ids)) if ids else say("second_run.nobody")]
    if taken:
        said.append(say("second_run.taken", count=taken))
    if doubtful:
        said.append(say("second_run.doubtful", count=len(doubtful), ids=Some(doubtful)))
    return said


def forms(tally: Tally) -> dict[str, str]:
    """Columns of the forms of address."""
    return {MAN: f"{tally.male:,}", WOMAN: f"{tally.female:,}", UNKNOWN: f"{tally.neutral:,}"}


EXPENDABLE_STATES = [each.value for each in Delivery if each is not Delivery.UNKNOWN]
"""Columns that a narrow terminal may be without."""


def states_of(tallies: Iterable[Tally]) -> list[Delivery]:
    """States of the ledger that a message of these is in."""
    return list(sum(tallies, Tally()).states)


def in_states(tally: Tally, states: Iterable[Delivery]) -> dict[str, str]:
    """A column for each of these; a campaign without a ledger has none of them."""
    return {each.value: f"{tally.of(each):,}" if tally.states else "" for each in states}


def ends(tally: Tally) -> dict[str, str]:
    """Columns of those who got no message, and of all."""
    audience = "" if tally.audience is None else f"{tally.audience:,}"
    return {"rejected": f"{tally.rejected:,}", "gone": f"{tally.gone:,}", "audience": audience}


def tally_facts(tally: Tally, *, sent: str = "sent") -> dict[str, int | None]:
    """A tally for `--json`. `sent`: what that count is called."""
    return {
        sent: tally.shown_as_sent,
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
        "reason": word(campaign.reason) if campaign.reason else "",
        "template": campaign.template,
        "allow_duplicates": campaign.allow_duplicates,
        "gateway": campaign.gateway,
        "gateway_drained_since": snapshot.drain.since.isoformat() if snapshot.drain else None,
        "gateway_drained_by": snapshot.drain.who if snapshot.drain else None,
        "gateway_away": word(snapshot.away) if snapshot.away else None,
        "template_name": campaign.template_name,
        "audience_name": campaign.audience,
        "chosen": campaign.chosen,
        "created_at": campaign.created_at.isoformat(),
        "finished_at": campaign.finished_at.isoformat() if campaign.finished_at else None,
        "settled": snapshot.is_settled,
        "pruned_at": campaign.pruned_at.isoformat() if campaign.pruned_at else None,
        "learns_until": campaign.learns_until.isoformat() if campaign.learns_until else None,
        "sent": snapshot.sent,
        "rejected": tally.rejected,
        "gone": tally.gone,
        "audience": tally.audience,
        "states": {state.value: count for state, count in tally.states.items()},
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
                "states": {state.value: count for state, count in each.tally.states.items()},
                "log_bytes": each.log_bytes,
                "late": each.late,
                "folder": each.owner,
                **_parts(snapshot, each.number),
            }
            for each in snapshot.shards
        ],
    }


def _parts(snapshot: Snapshot, number: int) -> dict[str, Any]:
    """Where they are known: of one campaign that goes to logs."""
    if number not in snapshot.parts:
        return {}
    return {"parts": [part_facts(each) for each in snapshot.parts[number] if not each.is_empty]}


def part_facts(part: Part) -> dict[str, Any]:
    """Where a stretch of a task's ids lies, for `--json`."""
    return {
        "host": part.host,
        "folder": part.folder,
        "first_id": part.first_id,
        "last_id": part.last_id,
        "from_byte": part.from_byte,
        "to_byte": part.to_byte,
        "lines": part.tally.sent,
    }


def cost_facts(price: Price | None, parts: int) -> dict[str, str] | None:
    """What parts come to, for `--json`: as text, for a program may not lose a hundredth."""
    if price is None:
        return None
    return {"price": f"{price.per_part:f}", "currency": price.currency, "sum": f"{price.of(parts):f}"}


def title(column: str) -> str:
    """A column's, by its key; forms of address are the same in every language."""
    if column in {MAN, WOMAN, UNKNOWN}:
        return column
    return say(f"delivery.{column}") if column in {*Delivery} else say(f"column.{column}")


def table(rows: Sequence[dict[str, str]], expendable: Iterable[str], *, has_total: bool = False) -> Table:
    """Rows that all have the same columns. Where the terminal is too narrow, columns are left out in the order of
    `expendable`, rather than numbers cut; `has_total`: the last row stands below a line."""
    columns = list(rows[0]) if rows else []
    for name in ("", *expendable):
        columns = [each for each in columns if each != name]
        made = Table(*(title(each) for each in columns))
        for number, row in enumerate(rows):
            if has_total and number == len(rows) - 1:
                made.add_section()
            made.add_row(*(row[each] for each in columns))
        if Measurement.get(out, out.options.update(max_width=10_000), made).maximum <= out.width:
            break
    return made
