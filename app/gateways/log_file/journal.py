"""The gateway that writes messages to a log: `<folder>/<campaign>/task_<shard>.log`, one line each."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from app.errors import LogDamaged, LogUnusable, ShardTaken
from app.gateways.log_file.folder import log_path, make_entries_durable, make_folder, open_log, translated, whole_lines


class LogFile:
    """One shard's log, locked. Raises ShardTaken when another process has it, LogUnusable when it cannot be opened."""

    def __init__(self, folder: Path, campaign: str, number: int) -> None:
        self.owner = make_folder(folder)
        self._path = log_path(folder, campaign, number)
        self._position = 0
        self._anew: BinaryIO | None = None
        with translated(self._path.parent):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
        with translated(self._path):
            self._descriptor = open_log(self._path, os.O_RDWR | os.O_CREAT)
            try:
                self._lock()
                make_entries_durable(self._path.parent, folder)
            except BaseException:  # left open it would stay locked, and the shard taken by ourselves
                os.close(self._descriptor)
                raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShardTaken("shard_taken.log", path=self._path) from None

    @property
    def size(self) -> int:
        """Bytes that are there, whoever wrote them."""
        with translated(self._path):
            return os.fstat(self._descriptor).st_size

    def refuse_strange(self) -> None:
        """Of a log that is not on record for this folder nothing may be there: somebody brought it here, and it would
        be cut off. Raises LogUnusable."""
        if size := self.size:
            raise LogUnusable("log_unusable.strange", path=self._path, size=size)

    def return_to(self, position: int) -> None:
        with translated(self._path):
            self._check(position)
            os.ftruncate(self._descriptor, position)
            os.lseek(self._descriptor, position, os.SEEK_SET)
        self._position = position

    def deliver(self, text: str) -> int:
        rest = memoryview(text.encode("utf-8"))
        with translated(self._path):
            self._check(self._position)
            self._position += len(rest)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        return self._position

    def check(self) -> None:
        with translated(self._path):
            self._check(self._position)

    def _check(self, position: int) -> None:
        """Raises LogDamaged unless `position` bytes are there, in the file that the name stands for."""
        ours = os.fstat(self._descriptor)
        if ours.st_size < position:
            raise LogDamaged("log_damaged.short", path=self._path, size=ours.st_size, position=position)
        try:
            is_ours = os.path.samestat(ours, self._path.stat())
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            raise LogDamaged("log_damaged.replaced", path=self._path)

    def delivered(self, position: int, size: int) -> bytes:
        with translated(self._path):
            return os.pread(self._descriptor, size, position)

    def lines(self, position: int) -> Iterator[tuple[int, bytes]]:
        with translated(self._path):
            yield from whole_lines(self._path, position)

    def begin_anew(self, position: int) -> None:
        with translated(self._path):
            self._abandon_anew()
            # Another process has no use for it as long as ours holds the lock of the log itself.
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(self._part, flags, 0o600)
            self._anew = os.fdopen(descriptor, "r+b", buffering=1 << 20)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            at = 0
            while at < position:
                piece = os.pread(self._descriptor, min(1 << 20, position - at), at)
                if not piece:
                    raise LogDamaged("log_damaged.shrunk", path=self._path)
                self._anew.write(piece)
                at += len(piece)

    def deliver_anew(self, text: bytes) -> None:
        with translated(self._path):
            self._begun.write(text)

    def end_anew(self) -> int:
        begun = self._begun
        with translated(self._path):
            begun.flush()
            os.fdatasync(begun.fileno())
            self._part.rename(self._path)  # its lock is ours, so nobody else gets either
            make_entries_durable(self._path.parent)
            descriptor = os.dup(begun.fileno())
            begun.close()
        self._anew = None
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._position = os.fstat(descriptor).st_size
        return self._position

    @property
    def _part(self) -> Path:
        return self._path.with_suffix(".part")

    @property
    def _begun(self) -> BinaryIO:
        if self._anew is None:
            raise ValueError("no second account was begun")
        return self._anew

    def _abandon_anew(self) -> None:
        if self._anew:
            with contextlib.suppress(OSError):  # what it holds is worth nothing, nor that it cannot be written
                self._anew.close()
            self._anew = None
            self._part.unlink(missing_ok=True)

    def close(self) -> None:
        self._abandon_anew()
        os.close(self._descriptor)
