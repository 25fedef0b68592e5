"""What a page says once, of what somebody did on the page before."""

from app.sentence import Sentence
from app.web.visitor import Visitor

MOST_KEPT = 1_000


class Notices:
    """By session; whoever reloads is not told again."""

    def __init__(self) -> None:
        self._of: dict[str, list[Sentence]] = {}

    def leave(self, visitor: Visitor, *said: Sentence) -> None:
        """For the next page that they see."""
        self._of.setdefault(visitor.session, []).extend(said)
        if len(self._of) > MOST_KEPT:
            del self._of[next(iter(self._of))]

    def take(self, visitor: Visitor | None) -> list[Sentence]:
        """All of them, this once."""
        return self._of.pop(visitor.session, []) if visitor else []
