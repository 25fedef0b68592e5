"""The folder of all logs: whose it is, who uses it, and how a file in it is opened and made durable."""

import contextlib
import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from app.errors import FolderInUse, LogUnusable
from app.sentence import Sentence

FORMER_SERVER_GONE_S = 2.0
SHOWN = 8
"""Letters of a folder's name as an owner that people read and write."""
_OWNER = ".owner"
"""File in the folder of all logs: its name as an owner of shards, and the lock of the server that uses it."""


def log_path(folder: Path, campaign: str, number: int) -> Path:
    """Where the messages of a shard stand. `campaign` is a checked name."""
    return folder / campaign / f"task_{number}.log"


def make_folder(folder: Path) -> str:
    """Make the folder of all logs, mode 0700 if it is new, and give its name as an owner of shards.

    The name is random and stays with the folder. A log has a lock in the kernel, so among those who share the folder
    one at most can write it, and a lock's holder that died has let it go. Raises LogUnusable.
    """
    with translated(folder):
        return _make_folder(folder)


def owner_of(folder: Path) -> str:
    """The name that `make_folder` gave; '' for a folder of which no log was ever made. Raises LogUnusable."""
    with translated(folder):
        return _owner_of(folder) if (folder / _OWNER).exists() else ""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """What the system says about a folder or a log becomes our own error."""
    try:
        yield
    except OSError as error:
        is_link = error.errno in {errno.ELOOP, errno.ENOTDIR} and (path.is_symlink() or path.parent.is_symlink())
        why = Sentence("link_in_its_place") if is_link else error.strerror
        raise LogUnusable("log_unusable", path=path, why=why) from error


def _make_folder(folder: Path) -> str:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker = folder / _OWNER
    if not marker.exists():
        name = uuid.uuid4().hex
        fresh = folder / f"{_OWNER}.{name}"  # no other process has it, and no other thread of this one
        fresh.write_text(name)
        fresh.chmod(0o600)
        with contextlib.suppress(FileExistsError):  # another one was quicker: its name counts
            os.link(fresh, marker)
        fresh.unlink()
    return _owner_of(folder)


def _owner_of(folder: Path) -> str:
    return f"{(folder / _OWNER).read_text().strip()}-{folder.stat().st_ino:x}"


@contextlib.contextmanager
def reserve_folder(folder: Path) -> Iterator[None]:
    """Make the folder of all logs, and have it for our server alone, which is this process and all that it forks.

    Raises FolderInUse when another server has it, and LogUnusable.
    """
    make_folder(folder)
    with translated(folder):
        descriptor = os.open(folder / _OWNER, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _wait_for(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, folder: Path) -> None:
    """The last processes of a server that was killed take a moment to be gone."""
    deadline = time.monotonic() + FORMER_SERVER_GONE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise FolderInUse(folder) from None
            time.sleep(0.05)
        else:
            return


@contextlib.contextmanager
def locked_file(path: Path) -> Iterator[bool]:
    """Whether nobody else has the lock of this file, which is there as long as somebody has it, or was killed; nobody
    will until the end of the block. Raises OSError."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            if not os.fstat(descriptor).st_nlink:  # removed between our look and our lock
                continue
            try:
                yield True
            finally:
                with contextlib.suppress(OSError):  # then it stays for the next one
                    path.unlink()
            return
        finally:
            os.close(descriptor)


def open_log(path: Path, flags: int) -> int:
    """A descriptor of a campaign's log, which has mode 0600 if it is new. Neither the log nor its campaign's folder may
    be a symbolic link: what is written to and cut would be somebody else's file."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.open(path.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    finally:
        os.close(folder)


def whole_lines(path: Path, position: int) -> Iterator[tuple[int, bytes]]:
    """Those of a log from `position` on, each with its own position. Raises OSError."""
    with path.open("rb") as log:
        log.seek(position)
        for line in log:
            if line.endswith(b"\n"):
                yield position, line
            position += len(line)


def make_entries_durable(*folders: Path) -> None:
    """A new file survives a power cut only when the folder that names it was written, too. Source: fsync(2)."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
