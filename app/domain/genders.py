"""How many of some customers are of each gender, and what is none. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MANY = 100
"""Of so many people some are of another gender than the rest."""


@dataclass(frozen=True, slots=True)
class Genders:
    """How many there are of each. Only NULL is unknown; any other value is greeted as a man, also one that is none."""

    male: int
    female: int
    unknown: int
    odd: Mapping[Any, int]
    """Values that are no gender and how many have each, the most frequent first."""

    @property
    def are_suspect(self) -> bool:
        """Whether everybody is a woman: LOAD DATA makes 0 of 男 and of 女, with a warning that few see."""
        return self.female >= MANY and not (self.male or self.unknown or self.odd)


def count_genders(values: Iterable[Any]) -> Genders:
    """Those of these customers, as the table has them."""
    counts = Counter(values)
    male, female, unknown = (counts.pop(value, 0) for value in (1, 0, None))
    return Genders(male, female, unknown, dict(counts.most_common()))
