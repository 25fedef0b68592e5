"""An order that is out, and when it is taken for lost. Pure, but for the time."""

import math
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Out:
    """Since `since`, in monotonic seconds, nobody was seen to be at it."""

    since: float = field(default_factory=time.monotonic)
    was_claimed: bool = False

    def doubt(self, away_since: float) -> None:
        """Who carries orders was away since then, and may have lost those that he had: it is lost, unless it was given
        out later or somebody is at it now."""
        if self.since < away_since and not self.was_claimed:
            self.since = -math.inf

    def is_lost(self, is_alive: bool | None, within_s: float, let_go_s: float) -> bool:
        """Whether it will not come back: nobody took it up `within_s`, or who did let go of it `let_go_s` ago and did
        not say so. `is_alive`: whether somebody at it shows signs of life; None: nobody is."""
        now = time.monotonic()
        if is_alive:
            self.since, self.was_claimed = now, True
            return False
        if self.was_claimed:
            return is_alive is False or now >= self.since + let_go_s
        return now >= self.since + within_s
