"""`python -m app audit`: who did what."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from app import config, console
from app.catalogue import say
from app.cli import views
from app.cli.shared import Json, opened
from app.console import out
from app.domain.campaign import check_name
from app.store import trail
from app.store.trail import Entry
from app.wording import harmless

AT_ONCE = 1_000
"""Entries read with one statement."""
SHOWN = 100
LETTERS = 20
"""Of a value in the table."""


def audit(
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="What was done to this one.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--limit", min=1, help=f"So many; {SHOWN} in a table, and all in JSON, by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show who did what, and when, from where, the newest first: campaigns, opt-outs, clean-ups, test messages. Numbers
    are masked."""
    name = None if campaign is None else check_name(campaign)
    found = _newest(opened(config.load()), name, most or (None if as_json else SHOWN))
    if as_json:
        _print_json(found)
    elif rows := [_row(each) for each in found]:
        out.print(views.table(rows, ("from", "subject", "change")))
    else:
        out.print(say("audit.none"))


def _newest(database: Engine, campaign: str | None, most: int | None) -> Iterator[Entry]:
    last_id: int | None = None
    left = most
    while left is None or left > 0:
        with database.connect() as connection:
            some = trail.newest(connection, min(AT_ONCE, left or AT_ONCE), campaign=campaign, before_id=last_id)
        yield from some
        if len(some) < AT_ONCE:
            return
        last_id = some[-1].id
        left = None if left is None else left - len(some)


def _print_json(found: Iterator[Entry]) -> None:
    """A list, entry by entry, for there may be many."""
    before = "[\n"
    for each in found:
        facts = asdict(each) | {"at": each.at.isoformat(timespec="milliseconds")}
        console.write(f"{before}{json.dumps(facts)}".encode())
        before = ",\n"
    console.write(b"[]\n" if before == "[\n" else b"\n]\n")


def _row(each: Entry) -> dict[str, str]:
    return {
        "at": f"{each.at:%Y-%m-%d %H:%M:%S} UTC",
        "who": harmless(each.who),
        "from": f"{each.via} {each.address}".rstrip(),
        "deed": say(f"deed.{each.deed}"),
        "campaign": each.campaign,
        "subject": harmless(each.subject),
        "change": harmless(_change(each.before, each.after)),
    }


def _change(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What differs, in one line: the beginning of each value, and none that says nothing."""
    said = []
    for name in dict.fromkeys([*before, *after]):
        values = [_short(f"{facts[name]}") for facts in (before, after) if facts.get(name)]
        if values:
            said.append(f"{name} {' → '.join(dict.fromkeys(values))}")
    return ", ".join(said)


def _short(value: str) -> str:
    return value if len(value) <= LETTERS else f"{value[: LETTERS - 1]}…"
