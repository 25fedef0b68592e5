"""Whether what was found of one task agrees."""

from app.sentence import Sentence


class Agreement:
    """Of a dataclass that has `differences` and `is_finished`."""

    __slots__ = ()
    differences: list[Sentence]
    is_finished: bool

    @property
    def agrees(self) -> bool:
        return not self.differences

    @property
    def agrees_so_far(self) -> bool:
        """Whether nothing differs but that it is not finished, which is the first of the differences then."""
        return len(self.differences) == (0 if self.is_finished else 1)
