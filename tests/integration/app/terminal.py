"""What is left of a command once it is over."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A command that is over."""

    code: int
    out: str
    err: str

    def assert_refused(self, *words: str) -> None:
        """One line on stderr, exit status 1."""
        assert (self.code, self.out) == (1, "")
        assert self.err.count("\n") == 1
        assert self.err.startswith("error: ")
        assert all(word in self.err for word in words), self.err


Run = Callable[..., Ended]
