"""A shard's rejects as a log for people: `task_<shard>.rejects.log` beside the messages, id and reason in each line.

It says what the table `rejects` says and nothing more, so it needs no record of its own: whoever takes a shard up
writes it anew from the table. It is there only where somebody was rejected.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.domain.reject import Reject
from app.gateways.log_file.folder import make_entries_durable, open_log, translated


def reject_log_path(folder: Path, campaign: str, number: int) -> Path:
    """Where the rejects of a shard stand. `campaign` is a checked name."""
    return folder / campaign / f"task_{number}.rejects.log"


def lines(rejects: Sequence[Reject]) -> bytes:
    """A line for each."""
    return "".join([f"{customer_id} {reason}\n" for customer_id, reason in rejects]).encode()


class RejectLog:
    """One shard's rejects. Only who holds the lock of the shard's messages may have it; errors are LogUnusable."""

    def __init__(self, folder: Path, campaign: str, number: int) -> None:
        self._path = reject_log_path(folder, campaign, number)
        self._descriptor: int | None = None

    def rewrite(self, pages: Iterable[Sequence[Reject]]) -> None:
        """Make it hold these and nothing else."""
        self.close()
        with translated(self._path):
            self._path.unlink(missing_ok=True)
        for page in pages:
            self.append(page)

    def append(self, rejects: Sequence[Reject]) -> None:
        """Add a page's rejects."""
        if not rejects:
            return
        rest = memoryview(lines(rejects))
        with translated(self._path):
            if self._descriptor is None:
                self._descriptor = open_log(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """Make durable what was written. Once is enough, before the shard is done: until then it is written anew."""
        if self._descriptor is not None:
            with translated(self._path):
                os.fdatasync(self._descriptor)
                make_entries_durable(self._path.parent)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
