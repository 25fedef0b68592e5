"""Compares the ledger with the log that the demo message centre keeps, examples/smsc.py: a line a submission.

Numbers are kept packed, 8 octets for each line and 16 for each row, so that millions of them fit.
"""

from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.domain.mobile import normalise
from app.errors import LogUnusable
from app.sentence import EXAMPLES, Sentence, Some
from app.store.messages import Fate

Numbers = NDArray[np.uint64]


class CentreLog:
    """What the centre took from `since` on, and what the ledger says that it should have. Raises LogUnusable."""

    def __init__(self, path: Path, since: datetime) -> None:
        self._lines = array("Q", _numbers(path, since.strftime("%Y-%m-%dT%H:%M:%S")))
        self._numbers = array("Q")
        self._most = array("I")
        """How many lines each row may have."""
        self._taken = array("B")

    def expect(self, fates: Sequence[Fate]) -> None:
        """Rows of the ledger."""
        self._numbers.extend(each.mobile for each in fates)
        self._most.extend(each.parts * max(1, each.attempts) for each in fates)
        self._taken.extend(each.state.is_taken for each in fates)

    def differences(self) -> list[Sentence]:
        """Who has a line and no row, a row that was taken and no line, and more lines than attempts had parts."""
        lines, line_counts = np.unique(np.array(self._lines, np.uint64), return_counts=True)
        rows, place = np.unique(np.array(self._numbers, np.uint64), return_inverse=True)
        most = np.bincount(place, np.array(self._most, np.float64), len(rows)).astype(np.int64)
        taken = np.bincount(place, np.array(self._taken, np.float64), len(rows)) > 0
        seen = np.zeros(len(rows), np.int64)
        at = np.searchsorted(rows, lines)
        known = at < len(rows)
        known[known] = rows[at[known]] == lines[known]
        seen[at[known]] = line_counts[known]
        strangers, lost, more = lines[~known], rows[taken & (seen == 0)], rows[seen > most]
        found = [
            Sentence("difference.line_without_row", count=len(strangers), numbers=_some(strangers)),
            Sentence("difference.row_without_line", count=len(lost), numbers=_some(lost)),
            Sentence("difference.lines_too_many", count=len(more), numbers=_some(more)),
        ]
        return [each for each in found if each.facts["count"]]


def _some(numbers: Numbers) -> Some:
    return Some(numbers[:EXAMPLES].tolist(), len(numbers))


def _numbers(path: Path, since: str) -> Iterator[int]:
    """Of all submissions that the centre gave an id."""
    try:
        with path.open(encoding="utf-8", errors="replace") as log:
            for line in log:
                fields = line.split("\t", 4)
                if len(fields) == 5 and fields[3] and fields[0] >= since:
                    yield _number(fields[2])
    except OSError as error:
        raise LogUnusable("log_unusable.unreadable", path=path, why=error.strerror) from error


def _number(text: str) -> int:
    """As the ledger has it; 0 for what is none."""
    digits = text.strip().lstrip("+")
    usable = normalise(digits) or normalise(f"+{digits}") or digits
    return int(usable) if usable.isdecimal() and len(usable) < 19 else 0
