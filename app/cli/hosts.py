"""`python -m app hosts`."""

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from app import config, console
from app.catalogue import say
from app.cli import views
from app.cli.shared import Json, opened
from app.console import out
from app.store import hosts as store
from app.store.hosts import Process


def hosts(as_json: Json = False) -> None:
    """Show which hosts have a server or a worker, what each has in hand, when it was last seen, and by how much its
    clock is ahead of the database's."""
    with opened(config.load()).connect() as connection:
        known = store.known(connection)
    found = [facts(host, list(some)) for host, some in groupby(known, lambda each: each.host)]
    if as_json:
        console.print_json(found)
    elif found:
        out.print(views.table([row(each) for each in found], ("processes", "clock_ms")))
    else:
        out.print(say("hosts.none"))


def facts(host: str, processes: list[Process]) -> dict[str, Any]:
    """One host for `--json`. Of a process that shows no sign of life any more nobody knows what it has in hand: nothing
    that it has counts on."""
    latest = max(processes, key=lambda each: each.seen_ms)
    alive = [each for each in processes if each.is_alive]
    return {
        "host": host,
        "last_seen": datetime.fromtimestamp(latest.seen_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "in_hand": sum(each.in_hand for each in alive),
        "places": sum(each.places for each in alive),
        "clock_ms": latest.clock_ms,
        "alive": bool(alive),
        "processes": sorted(each.kind for each in alive),
    }


def row(found: dict[str, Any]) -> dict[str, str]:
    """The same on a terminal."""
    return {
        "host": found["host"],
        "processes": " + ".join(say(f"process.{each}") for each in found["processes"]) or say("process.none"),
        "in_hand": f"{found['in_hand']}/{found['places']}",
        "last_seen": f"{datetime.fromisoformat(found['last_seen']):%Y-%m-%d %H:%M:%S} UTC",
        "clock_ms": f"{found['clock_ms']:+,} ms",
    }
