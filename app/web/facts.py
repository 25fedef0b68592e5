"""What the metrics say, read by one look."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from app.campaigns.reasons import CountedReasons, Reasons
from app.campaigns.summary import Summary, summaries
from app.domain.campaign import State
from app.domain.traffic import Traffic
from app.sentence import Sentence
from app.store import accounts, campaigns, contacts, gateway_totals, hosts, samples
from app.store.hosts import Process
from app.web.recent import Pace, Recent

FOR_LONGER = timedelta(days=1)
"""A campaign is there as long as it is not over, and so much longer."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One campaign that is not over, or not for long."""

    summary: Summary
    reasons: Reasons
    moved_at_s: float
    """Unix time since when nothing of it has changed, to ten seconds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of the whole database."""

    followed: list[Followed]
    by_state: dict[State, int]
    binds: dict[str, int]
    hosts: Sequence[Process] = ()
    """See hosts.known."""
    up: dict[str, bool] = field(default_factory=dict)
    """Whether it can be reached, of each gateway of which that is known."""
    traffic: dict[str, Traffic] = field(default_factory=dict)
    """What went over each gateway."""
    paces: dict[str, Pace] = field(default_factory=dict)
    """The same of late."""
    under_way: dict[str, int] = field(default_factory=dict)
    """Places that are taken in the windows of those who send over each gateway now."""
    whys: dict[str, Sentence] = field(default_factory=dict)
    """Why a gateway cannot be reached, by who says so."""

    def unknown(self, gateway: str) -> int:
        """Messages by it of which nobody knows whether they were taken."""
        return sum(each.summary.tally.unknown for each in self.followed if each.summary.campaign.gateway == gateway)


@dataclass(frozen=True, slots=True)
class FactsView:
    """See looks.View."""

    counted: CountedReasons
    recent: Recent

    def read(self, connection: Connection) -> Facts:
        found = summaries(connection, campaigns.not_long_over(connection, datetime.now(UTC) - FOR_LONGER))
        last = samples.latest(connection, [each.campaign.id for each in found])
        followed = [
            Followed(
                each,
                self.counted.of(connection, each),
                last[each.campaign.id].moved_at_s if each.campaign.id in last else each.campaign.created_at.timestamp(),
            )
            for each in found
        ]
        traffic, said = gateway_totals.all_of_them(connection), contacts.known(connection)
        under_way: Counter[str] = Counter()
        for each in said:
            under_way[each.gateway] += each.under_way
        return Facts(
            followed,
            campaigns.count_by_state(connection),
            accounts.binds_in_use(connection),
            hosts.known(connection),
            contacts.are_up(said),
            traffic,
            self.recent.paces(traffic),
            under_way,
            {each.gateway: each.why for each in said if each.why},
        )
