"""Whether a campaign may cost what it comes to: above a sum somebody has to agree to it first."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Engine

from app.campaigns.preview import estimate
from app.domain.greeting import Template
from app.errors import BadRequest
from app.gateways.base import Outgoing

TOLERANCE = Decimal("1.05")
"""More parts than were agreed to: both figures are estimates, and customers move in between."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What may be spent without a word, by the price of the gateway; None: anything. To `confirmed_parts` somebody
    agreed."""

    most: float | None = None
    confirmed_parts: int | None = None

    def check(
        self,
        database: Engine,
        name: str,
        audience: str,
        template: Template,
        by: Outgoing,
        ids: Sequence[int] | None = None,
        template_name: str = "",
    ) -> None:
        """Raises BadRequest where it would be more. Where the gateway has no price nobody can tell. `ids`: of whom the
        campaign is for, where it is not for all; `template_name`: see Outgoing."""
        if self.most is None or by.price is None:
            return
        parts = estimate(database, audience, template, by, ids, template_name).total_sms
        is_agreed = self.confirmed_parts is not None and parts <= self.confirmed_parts * TOLERANCE
        if by.price.of(parts) > Decimal(str(self.most)) and not is_agreed:
            facts = {"campaign": name, "gateway": by.name, "parts": parts, "sum": by.price.shown(parts)}
            raise BadRequest("unconfirmed_cost", **facts, most=f"{self.most:,g}")


ANYTHING = Spending()
