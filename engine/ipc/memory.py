"""Shared memory that outlives each process that uses it, and as a file outlives all of them."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

from engine.errors import StartError
from engine.log_lines import get_logger

log = get_logger(__name__)

_STEP = 2**20
_SUFFIX = ".memory"


class Region:
    """A piece of shared memory, zeros at first. Made before the first fork."""

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        self.size = size
        self.view = memoryview(mmap.mmap(-1 if descriptor is None else descriptor, size))
        self._descriptor = descriptor
        self._reserved: set[int] = set()
        self._keeps_all = False
        """Whether memory could not be returned to the system; that is logged once."""

    @property
    def is_in_file(self) -> bool:
        return self._descriptor is not None

    def reserve(self, start: int, end: int) -> None:
        """Make sure that these bytes can be written. Raises OSError when the disk is full.

        Without it, a write into a page that the disk has no room for would kill the process with SIGBUS.
        """
        if self._descriptor is None:
            return
        for step in range(start // _STEP, -(-end // _STEP)):
            if step not in self._reserved:
                os.posix_fallocate(self._descriptor, step * _STEP, min(_STEP, self.size - step * _STEP))
                self._reserved.add(step)

    def forget_reserved(self) -> None:
        """Forget what is reserved: another process may have released it."""
        self._reserved.clear()

    def release(self, start: int, end: int) -> None:
        """Return these bytes, whole pages, to the system, where it takes them: not every file system does."""
        memory = self.view.obj
        try:
            memory.madvise(mmap.MADV_REMOVE, start, end - start)  # type: ignore[attr-defined]
        except OSError as error:
            if not self._keeps_all:
                self._keeps_all = True
                log.warning("free memory cannot be returned to the system", extra={"reason": str(error)})
        else:
            self._reserved -= set(range(start // _STEP, -(-end // _STEP)))


Maker = Callable[[str, int], Region]
"""Makes a region of this name and size."""


def anonymous(_name: str, size: int) -> Region:
    """Make a region that ends with the last process that has it."""
    return Region(size)


class Folder:
    """Regions in files of mode 0600: each is as it was when the last process ended, however that ended."""

    def __init__(self, path: Path, key: int) -> None:
        """Raises StartError when `path` has files of a server with another key, whose tasks would be lost."""
        self._path = path
        self._suffix = f".{key}{_SUFFIX}"
        refuse_others(path, self._suffix)

    def make(self, name: str, size: int) -> Region:
        """Make a region in a file. Raises OSError when that cannot be made."""
        descriptor = os.open(self._file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(descriptor, size)
        return Region(size, descriptor)

    def names(self) -> list[str]:
        """Return the names of the regions that exist."""
        found = (each.name for each in self._path.iterdir())
        return sorted(name.removesuffix(self._suffix) for name in found if name.endswith(self._suffix))

    def read(self, name: str) -> memoryview:
        """Return what is under this name now. Writing to it changes nothing but the caller's own view."""
        with self._file(name).open("rb") as file:
            is_empty = not os.fstat(file.fileno()).st_size  # and cannot be mapped
            return memoryview(b"" if is_empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))

    def remove(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._path / f"{name}{self._suffix}"


def refuse_others(path: Path, own: str | None = None) -> None:
    """Raise StartError when tasks of a server with another key are in this directory; ours end with `own`."""
    for each in path.iterdir():
        if each.name.endswith(_SUFFIX) and not (own and each.name.endswith(own)):
            key = each.name.split(".")[-2]
            raise StartError(
                f"{path} holds tasks of a server with message_queue_key {key}: start that one, or empty the directory"
            )
