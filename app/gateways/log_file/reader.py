"""Reads a log as its gateway would, without its lock: to see how it compares, and leave it as it is."""

from collections.abc import Iterator
from pathlib import Path

from app.gateways.log_file.folder import translated, whole_lines


class LogReader:
    """A log that is not there is an empty one. Raises LogUnusable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def delivered(self, position: int, size: int) -> bytes:
        """See Account."""
        with translated(self._path):
            if not self._path.exists():
                return b""
            with self._path.open("rb") as log:
                log.seek(position)
                return log.read(size)

    def lines(self, position: int) -> Iterator[tuple[int, bytes]]:
        """See Account."""
        with translated(self._path):
            if self._path.exists():
                yield from whole_lines(self._path, position)

    def begin_anew(self, position: int) -> None:
        """Nothing is written."""

    def deliver_anew(self, text: bytes) -> None:
        """Nothing is written."""
