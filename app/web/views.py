"""What the pages look at, each with one look."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from app.access.login import IDLE
from app.campaigns.courses import Courses
from app.campaigns.reasons import CountedReasons, Reasons
from app.campaigns.summary import Page, Summary, page, summary
from app.domain.campaign import State
from app.store import campaigns, drains, sessions, shards, users
from app.store.drains import Drain
from app.store.samples import Sample
from app.store.shards import Shard
from app.web.facts import Facts, FactsView

SHARDS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Of the list, a page."""

    page: Page
    by_state: dict[State, int]


@dataclass(frozen=True, slots=True)
class CampaignsView:
    """See looks.View."""

    state: State | None = None
    before: int | None = None
    after: int | None = None

    def read(self, connection: Connection) -> Campaigns:
        found = page(connection, state=self.state, before=self.before, after=self.after)
        return Campaigns(found, campaigns.count_by_state(connection))


@dataclass(frozen=True, slots=True)
class OneCampaign:
    """All that its page shows; of its shards those that there is room for."""

    summary: Summary
    shards: list[Shard]
    reasons: Reasons
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class CampaignView:
    """See looks.View."""

    name: str
    counted: CountedReasons
    courses: Courses

    def read(self, connection: Connection) -> OneCampaign:
        """Raises UnknownCampaign."""
        found = summary(connection, self.name)
        campaign_id = found.campaign.id
        return OneCampaign(
            found,
            shards.busiest(connection, campaign_id, SHARDS_SHOWN),
            self.counted.of(connection, found),
            self.courses.of(connection, campaign_id),
        )


@dataclass(frozen=True, slots=True)
class System:
    """What the database knows of who works with it."""

    facts: Facts
    drained: dict[str, Drain]
    database: str


_KINDS = {"mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite"}


@dataclass(frozen=True, slots=True)
class SystemView:
    """See looks.View."""

    facts: FactsView

    def read(self, connection: Connection) -> System:
        dialect: Any = connection.dialect
        kind = (
            "MariaDB" if getattr(dialect, "is_mariadb", False) else {"mysql": "MySQL", "sqlite": "SQLite"}[dialect.name]
        )
        version = ".".join(map(str, dialect.server_version_info[:3]))
        return System(self.facts.read(connection), drains.every(connection), f"{kind} {version}")


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in at the moment."""

    has_accounts: bool
    sessions: frozenset[str]
    """By their hashes."""


@dataclass(frozen=True, slots=True)
class AccessView:
    """See looks.View."""

    def read(self, connection: Connection) -> Access:
        return Access(users.is_any(connection), sessions.seen_since(connection, datetime.now(UTC) - IDLE))
