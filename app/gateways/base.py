"""What a way out to the phone network must offer: messages in, a position that can be returned to."""

from collections.abc import Iterator
from typing import Protocol


class Account(Protocol):
    """What was delivered, to be compared and written anew."""

    def delivered(self, position: int, size: int) -> bytes:
        """What was delivered from `position` on: `size` units, or as many as there are."""

    def lines(self, position: int) -> Iterator[tuple[int, bytes]]:
        """Whole lines that were delivered from `position` on, each with its own position."""

    def begin_anew(self, position: int) -> None:
        """Begin a second account of what was delivered, with what stands before `position`. The first counts on."""

    def deliver_anew(self, text: bytes) -> None:
        """Add lines to the second account."""


class Gateway(Account, Protocol):
    """Delivers the messages of one shard. One process at a time has it. Making one raises ShardTaken when another
    process does. To make one, to return and to deliver raise LogUnusable when the way out does not work now, whatever
    foreign error that is; nothing is lost by trying again later.

    A position counts what was delivered, in the gateway's own unit (bytes, for a log). Whoever takes up a shard first
    returns to the position that the database knows; what came after it is delivered again.
    """

    owner: str
    """Where this gateway's exclusion holds: two that name the same owner cannot both have one shard."""

    def return_to(self, position: int) -> None:
        """Undo what was delivered after `position`. Raises LogDamaged when less than that was ever delivered."""

    def deliver(self, text: str) -> int:
        """Deliver the messages, a line each, durably; the position after them. Raises LogDamaged when the way out is
        not as we left it; then nothing was delivered."""

    def check(self) -> None:
        """Raises LogDamaged when the way out is not as we left it."""

    def end_anew(self) -> int:
        """From here on the second account counts, durably and as a whole, and nothing is left of the first; the
        position at its end."""

    def close(self) -> None:
        """Let the shard go."""
