"""What messages cost. Pure."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """Of one part, in some currency."""

    per_part: Decimal
    currency: str = ""

    def of(self, parts: int) -> Decimal:
        """What so many come to."""
        return self.per_part * parts

    def shown(self, parts: int) -> str:
        """The same for people, to the hundredth: `91,000.00 CNY`."""
        return f"{self.of(parts):,.2f} {self.currency}".rstrip()

    @property
    def each(self) -> str:
        """Of one part, exactly."""
        return f"{self.per_part:f} {self.currency}".rstrip()
