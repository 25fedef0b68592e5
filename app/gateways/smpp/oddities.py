"""What a message centre does that it should not: counted, and told in the log at 1, 10, 100, … of a kind."""

import logging
from collections import Counter
from typing import Any

log = logging.getLogger(__name__)


class Oddities:
    """Of one message centre, from link to link until one is good."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.counts: Counter[str] = Counter()

    def note(self, sentence: str, *, level: int = logging.WARNING, **facts: Any) -> None:
        """Once more. A peer that does nothing else cannot fill the log."""
        self.counts[sentence] += 1
        times = self.counts[sentence]
        if str(times).strip("0") == "1":
            log.log(level, sentence, extra={"where": self._where, "times": times, **facts})
