"""How long many things took, in bounded memory. Pure."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Durations:
    """Counts of seconds, each kept to three digits and not below a millisecond: some thousands of numbers at most,
    however many there are."""

    _counts: Counter[int] = field(default_factory=Counter)
    """By milliseconds."""

    def note(self, seconds: float) -> None:
        """One of them; clocks of two machines may make it less than nothing, which counts as nothing."""
        ms = max(0, round(seconds * 1000))
        step = 10 ** max(0, len(str(ms)) - 3)
        self._counts[round(ms / step) * step] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._counts.total()

    def percentile(self, share: float) -> float | None:
        """The shortest that at least this share of them did not exceed; None where there are none."""
        wanted, seen = share * self.count, 0
        for ms in sorted(self._counts):
            seen += self._counts[ms]
            if seen >= wanted:
                return ms / 1000
        return None

    def add(self, other: "Durations") -> None:
        """Those of the other one as well."""
        self._counts += other._counts
