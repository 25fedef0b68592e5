"""Files for bodies too large for a message, in a directory that is one server's alone.

A file is written before the message that names it is sent and lives until its task is done.
"""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StartError
from engine.ipc.real_path import real_path

_SUFFIX = ".spill"


class SpillDirectory:
    """Makes, reads and removes the files. Mode 0600 in a directory of mode 0700: what we unpickle, we wrote."""

    def __init__(self, path: Path) -> None:
        """Made before the first fork."""
        self.path = path
        self.made = 0
        """How many files this process wrote."""
        self._pid = self._maker = 0

    @property
    def maker(self) -> int:
        """This process, among all that ever wrote files here: 1 to 2**63 - 1. It is drawn, for a pid comes again: in a
        container at every start, elsewhere after some ten thousand processes."""
        if self._pid != os.getpid():
            self._pid, self._maker, self.made = os.getpid(), secrets.randbelow(2**63 - 1) + 1, 0
        return self._maker

    def write(self, body: bytes) -> bytes:
        """Store `body` and return the name to send. Raises OSError, leaving no file, when it does not fit."""
        maker = self.maker
        self.made += 1
        name = f"{maker}-{self.made}{_SUFFIX}"
        file = self.path / name
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb", buffering=0) as out:
                rest = memoryview(body)
                while rest:
                    rest = rest[out.write(rest) :]
        except OSError:
            file.unlink()
            raise
        return name.encode()

    def read(self, name: bytes) -> bytes:
        return (self.path / name.decode()).read_bytes()

    def has(self, name: bytes) -> bool:
        return (self.path / name.decode()).exists()

    def size(self, name: bytes) -> int:
        """Return the size of a file, bytes; 0 when it is gone."""
        try:
            return (self.path / name.decode()).stat().st_size
        except FileNotFoundError:
            return 0

    def remove(self, name: bytes) -> None:
        """Remove a file; no matter if it is gone already (a task delivered twice names it twice)."""
        (self.path / name.decode()).unlink(missing_ok=True)

    def discard(self, maker: int, after: int, keep: Collection[str] = ()) -> None:
        """Remove what a dead process wrote after its first `after` files, `keep` apart: it told nobody of them."""
        for name in os.listdir(self.path):
            made_by, _, number = name.removesuffix(_SUFFIX).partition("-")
            if name.endswith(_SUFFIX) and made_by == str(maker) and int(number) > after and name not in keep:
                (self.path / name).unlink(missing_ok=True)

    def count(self) -> int:
        """Return how many files there are now."""
        return sum(name.endswith(_SUFFIX) for name in os.listdir(self.path))

    def sweep(self, keep: Collection[str] = ()) -> None:
        """Remove every file of earlier runs that no task in `keep` names. What is not such a file stays."""
        for name in os.listdir(self.path):
            if name.endswith(_SUFFIX) and name not in keep:
                (self.path / name).unlink()


_LOCK = "lock"


@dataclass(slots=True)
class Claim:
    """A directory that this server holds."""

    path: Path
    is_to_be_emptied: bool = False
    """Whether the files in it are removed at the end."""


@contextmanager
def claim(path: Path) -> Iterator[Claim]:
    """Hold a directory for this server alone; remove it afterwards if it is empty. Raises StartError when it may not be
    used.

    Its real path is used from then on: a link in the path may change.
    """
    path = _make_private(path)
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"{path} is in use by another running server") from None
        ours = Claim(path)
        try:
            yield ours
        finally:
            _tidy(ours)
    finally:
        os.close(lock)


def _tidy(ours: Claim) -> None:
    if ours.is_to_be_emptied:
        SpillDirectory(ours.path).sweep()
    if os.listdir(ours.path) == [_LOCK]:
        (ours.path / _LOCK).unlink()
        with suppress(OSError):  # it is a mount point, or its parent is not ours
            ours.path.rmdir()


def default_path(name: str) -> Path:
    """Return where a server without `task_tmpdir` keeps its files: the same at every start under one name."""
    place = "".join(letter if letter.isalnum() else "-" for letter in name)
    return Path(tempfile.gettempdir(), f"engine-{os.getuid()}", place)


def _make_private(path: Path) -> Path:
    """Make `path` and its parent with mode 0700; return its real path. A `path` that exists must be ours, closed to
    others, no link."""
    above = real_path(_made(real_path(path.parent.parent) / path.parent.name))
    mode = stat.S_IMODE(above.stat().st_mode)
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise StartError(f"{above} must belong to us or to root and be closed to others, it has {mode:04o}")
    path = above / path.name
    found = _made(path).lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        raise StartError(f"{path} must be a directory, and is not")
    if found.st_uid != os.getuid() or mode & 0o077:
        raise StartError(f"{path} must belong to us with mode 0700, it has {mode:04o}")
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(f"{path} is not writable")
    return path


def _made(directory: Path) -> Path:
    """Make the directory unless something is there; return its path."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return directory
    except OSError as error:
        raise StartError(f"cannot make {directory}: {error.strerror}") from error
    return directory
