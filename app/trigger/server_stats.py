"""The running server in numbers, as it says of itself."""

from collections import Counter
from dataclasses import dataclass

from app.config import Config
from app.sentence import Sentence
from app.trigger.client import Facts, Remote
from app.trigger.requests import AskStats

WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What is shown of the engine's Stats."""

    started_at: float
    """Unix time, seconds."""
    task_workers: dict[str, int]
    """How many there are, by state: idle, busy, …"""
    tasks_waiting: int
    oldest_waiting_s: float | None
    connections: int
    resident_bytes: int
    """Of all workers."""


def ask_stats(settings: Config) -> ServerStats:
    """Raises ServerUnreachable, Refused, TokenUnusable and CertificateUnusable."""
    remote = Remote(settings)
    with remote.ask(AskStats(), timeout_s=WITHIN_S, lost=Sentence("lost.again")) as answers:
        facts = next(answers)
    try:
        return read_stats(facts["stats"])
    except (KeyError, TypeError, ValueError):  # an older server, or none of ours
        raise remote.stranger() from None


def read_stats(facts: Facts) -> ServerStats:
    """Of what a server answered. Raises KeyError, TypeError or ValueError for what is none."""
    oldest = facts["oldest_waiting_s"]
    return ServerStats(
        started_at=float(facts["start_time"]),
        task_workers=dict(Counter(str(each["state"]) for each in facts["task_workers"])),
        tasks_waiting=int(facts["tasks_waiting"]),
        oldest_waiting_s=None if oldest is None else float(oldest),
        connections=int(facts["connection_num"]),
        resident_bytes=sum(int(each["rss"]) for each in [*facts["task_workers"], *facts["processes"]]),
    )
