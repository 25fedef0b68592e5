"""What differs between logs and what is on record. Pure."""

from dataclasses import dataclass

from app.sentence import Every, Sentence


@dataclass(frozen=True, slots=True)
class Differences:
    """Of those who are done, in the logs that are compared."""

    right: int
    """Messages that stand as they would be sent now."""
    kept: int
    """Messages to a customer's number that would read otherwise now; they stay."""
    missing: int
    """Customers without a line; their messages are sent."""
    left_over: int
    """Lines that stand for nobody who is done; they go."""

    def __bool__(self) -> bool:
        return bool(self.kept or self.missing or self.left_over)

    @property
    def sentence(self) -> Sentence:
        """What a resume will do about the logs."""
        if not self:
            return Sentence("differences.none", count=self.right)
        parts = Every([Sentence("differences.right", count=self.right)])
        for code, count in (("kept", self.kept), ("missing", self.missing), ("left_over", self.left_over)):
            if count:
                parts.append(Sentence(f"differences.{code}", count=count))
        return Sentence("differences", parts=parts)
