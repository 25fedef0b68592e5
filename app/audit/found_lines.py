"""The lines of a log by whom they greet, so that a customer's message is found wherever it stands."""

from collections.abc import Iterator

import numpy as np

from app.domain.greeting import Template


class FoundLines:
    """16 bytes for each whole line in memory. A line is known by the mobile in it, or as a whole where the template
    shows none, and is taken once."""

    def __init__(self, template: Template, lines: Iterator[tuple[int, bytes]]) -> None:
        """`lines`: each with the position where it begins; what does not fit the template greets nobody."""
        self._template = template
        self.left = 0
        """How many of all lines are not taken, whomever they greet."""
        found = np.fromiter(
            ((hash(key), at) for at, line in self._count(lines) if (key := template.addressee(line)) is not None),
            np.dtype([("key", np.int64), ("at", np.int64)]),
        )
        found.sort(order=["key", "at"])
        self._keys, self._at = found["key"], found["at"]
        self._is_taken = np.zeros(len(found), np.bool_)

    def _count(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for each in lines:
            self.left += 1
            yield each

    def take(self, line: bytes) -> int | None:
        """Where the first line stands that greets the same customer as this one and is not taken."""
        key = hash(self._template.addressee(line))
        place = int(self._keys.searchsorted(key))
        while place < len(self._keys) and self._keys[place] == key:
            if not self._is_taken[place]:
                self._is_taken[place] = True
                self.left -= 1
                return int(self._at[place])
            place += 1
        return None
