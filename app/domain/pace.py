"""How fast a campaign goes, and how long it will take. Pure."""

from collections import deque


class Pace:
    """Messages a second over the last `window_s` seconds, from counts as they come in."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._counts: deque[tuple[float, int, int]] = deque()

    def note(self, at_s: float, sent: int, done: int) -> None:
        """So many messages were sent and ids done at that time (monotonic seconds). One that is older than the
        window stays until another can stand at its beginning."""
        self._counts.append((at_s, sent, done))
        while len(self._counts) > 2 and self._counts[1][0] <= at_s - self._window_s:
            self._counts.popleft()

    def forget(self) -> None:
        """Begin anew, as after a pause in which nobody counted."""
        self._counts.clear()

    @property
    def messages_per_s(self) -> float:
        """0 as long as there is nothing to compare."""
        return self._per_s(1)

    def left_s(self, ids: int) -> float | None:
        """Seconds that so many ids will take; None when that cannot be told."""
        per_s = self._per_s(2)
        return ids / per_s if per_s > 0 else None

    def _per_s(self, index: int) -> float:
        if len(self._counts) < 2:
            return 0.0
        first, last = self._counts[0], self._counts[-1]
        took_s = last[0] - first[0]
        return (last[index] - first[index]) / took_s if took_s > 0 else 0.0
